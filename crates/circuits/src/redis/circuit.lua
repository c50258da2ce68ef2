-- What the scripts begin with: the time here, what stands under a circuit's key, and where its history ends.
-- KEYS  1 the circuit, 2 its history
-- ARGV  1 ms to add to the time here (0, but in tests)   2 largest value that is told
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1]
-- '' without a history, else the state and the epoch of its newest entry. One that somebody else wrote, or a key of
-- another type, counts as closed.
local function history_end()
  local told = redis.call('TYPE', KEYS[2]).ok
  if told == 'none' then
    return ''
  end
  local to, epoch = 'CLOSED', '0'
  local newest = told == 'stream' and redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  for i = 1, newest and #newest[2] or 0, 2 do
    local name, word = newest[2][i], newest[2][i + 1]
    if name == 'to' and (word == 'OPEN' or word == 'HALF_OPEN') then
      to = word
    elseif name == 'epoch' and #word < 20 and string.match(word, '^[1-9]%d*$') then
      epoch = word
    end
  end
  return to .. ' ' .. epoch
end
-- absent | text | digest | type, and its text
local function what_stands()
  local type = redis.call('TYPE', KEYS[1]).ok
  if type == 'none' then
    return 'absent', ''
  elseif type ~= 'string' then
    return 'type', type
  end
  local size = redis.call('STRLEN', KEYS[1])
  if size <= tonumber(ARGV[2]) then
    return 'text', redis.call('GET', KEYS[1])
  end
  -- Of its length and its ends: the digest of the whole would hold up Redis, and all who wait for it.
  local ends = redis.call('GETRANGE', KEYS[1], 0, 1023) .. redis.call('GETRANGE', KEYS[1], -1024, -1)
  return 'digest', redis.sha1hex(size .. ':' .. ends)
end
local kind, text = what_stands()
