-- Compares, and if nothing has changed writes a circuit and its history in one step. Decides nothing about circuits.
-- KEYS  1 the circuit, 2 its history
-- ARGV  1 what is expected: absent | text | digest   2 that text or digest
--       3 put | delete   4 the new text   5 its lifetime in ms, 0 for ever
--       6 when it was decided (Unix ms)   7 how far that may be from the time here (ms)
--       8 ms to add to the time here (0, but in tests)   9 largest value that is told   10 entries   11 ms they last
--       then six a history entry: from, to, epoch, reason, instance, at
-- Gives  what came of it (done | changed | clock), the time, the state that the history ends in ('': none), what stands
--        there, its text
local function history_end()
  local told = redis.call('TYPE', KEYS[2]).ok
  if told == 'none' then
    return ''
  elseif told ~= 'stream' then
    return 'CLOSED'
  end
  local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  for i = 1, newest and #newest[2] or 0, 2 do
    if newest[2][i] == 'to' then
      return newest[2][i + 1]
    end
  end
  return 'CLOSED'
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[8]
local kind, text = 'absent', ''
local type = redis.call('TYPE', KEYS[1]).ok
if type == 'string' then
  local size = redis.call('STRLEN', KEYS[1])
  if size > tonumber(ARGV[9]) then
    -- Of its length and its ends: the digest of the whole would hold up Redis, and all who wait for it.
    local ends = redis.call('GETRANGE', KEYS[1], 0, 1023) .. redis.call('GETRANGE', KEYS[1], -1024, -1)
    kind, text = 'digest', redis.sha1hex(size .. ':' .. ends)
  else
    kind, text = 'text', redis.call('GET', KEYS[1])
  end
elseif type ~= 'none' then
  kind, text = 'type', type
end
if kind ~= ARGV[1] or (kind ~= 'absent' and text ~= ARGV[2]) then
  return {'changed', now, history_end(), kind, text}
end
if math.abs(now - ARGV[6]) > tonumber(ARGV[7]) then
  return {'clock', now, '', '', ''}
end
if ARGV[3] == 'delete' then
  redis.call('DEL', KEYS[1])
elseif ARGV[5] == '0' then
  redis.call('SET', KEYS[1], ARGV[4])
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
-- A history key of another type is left alone, as the circuit must be written all the same.
local told = redis.call('TYPE', KEYS[2]).ok
if told ~= 'none' and told ~= 'stream' then
  return {'done', now, '', '', ''}
end
for i = 12, #ARGV, 6 do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[10], '*', 'from', ARGV[i], 'to', ARGV[i + 1], 'epoch', ARGV[i + 2],
    'reason', ARGV[i + 3], 'instance', ARGV[i + 4], 'at', ARGV[i + 5])
end
-- A circuit that lives for ever keeps its history: without one, its DEL would look like a loss of data.
if #ARGV >= 12 and ARGV[3] == 'put' and ARGV[5] == '0' then
  redis.call('PERSIST', KEYS[2])
elseif #ARGV >= 12 then
  redis.call('PEXPIRE', KEYS[2], ARGV[11])
end
return {'done', now, '', '', ''}
