-- Compares, and if nothing has changed writes a circuit and its history atomically. Decides nothing about circuits.
-- ARGV  3 what is expected: absent | text | digest   4 that text or digest   5 where the history must end
--       6 put | delete   7 the new text   8 its TTL in ms, 0: it does not expire
--       9 when it was decided (Unix ms)   10 how far that may be from the server's time (ms)
--       11 history entries that are kept   12 their TTL in ms
--       then six per history entry: from, to, epoch, reason, instance, at
-- Returns  the result (done | changed | clock), the time, the end of the history, the kind of value, its text
local same = kind == ARGV[3] and (kind == 'absent' or text == ARGV[4])
if not same or ARGV[5] ~= history_tail() then
  return {'changed', now, history_tail(), kind, text}
end
if math.abs(now - ARGV[9]) > tonumber(ARGV[10]) then
  return {'clock', now, '', '', ''}
end
if ARGV[6] == 'delete' then
  redis.call('DEL', KEYS[1])
elseif ARGV[8] == '0' then
  redis.call('SET', KEYS[1], ARGV[7])
else
  redis.call('SET', KEYS[1], ARGV[7], 'PX', ARGV[8])
end
-- Without an entry the history's key is left alone: whatever changes it says that the state has changed.
-- A history key of another type is not written; the circuit must be written all the same.
local type = #ARGV > 12 and redis.call('TYPE', KEYS[2]).ok or ''
if type ~= 'none' and type ~= 'stream' then
  return {'done', now, '', '', ''}
end
for i = 13, #ARGV, 6 do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[11], '*', 'from', ARGV[i], 'to', ARGV[i + 1], 'epoch', ARGV[i + 2],
    'reason', ARGV[i + 3], 'instance', ARGV[i + 4], 'at', ARGV[i + 5])
end
-- A history outlives its circuit: without one, its DEL would look like a loss of data.
if ARGV[6] == 'put' and ARGV[8] == '0' then
  redis.call('PERSIST', KEYS[2])
else
  local ttl = tonumber(ARGV[12])
  if tonumber(ARGV[8]) > ttl then
    ttl = ttl + tonumber(ARGV[8])
  end
  redis.call('PEXPIRE', KEYS[2], string.format('%.0f', ttl))
end
return {'done', now, '', '', ''}
