-- Adds entries to streams, all of them or none, and says their ids.
-- KEYS: the streams. ARGV: how many entries each of them keeps, as "1000,50"; the stream and the id of each entry, as
-- "1 5-0,2 5-*,1 *"; 1 if this was said before and may have been done, else 0; then the bytes of each entry.
-- An id has two numbers of 64 bits. Lua's have 53, so ids stay text.
local FIRST_ENTRY = 3
local LAST_NUMBER = '18446744073709551615'

local function is_larger(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end

-- The number behind this one; nothing behind the last.
local function after(number)
  if number == LAST_NUMBER then return nil end
  local head, nines = number:match('^(.-)(9*)$')
  local zeros = ('0'):rep(#nines)
  if head == '' then return '1' .. zeros end
  return head:sub(1, -2) .. (head:byte(-1) - 47) .. zeros
end

local function parts(id) return id:match('^(%d+)-(.+)$') end

local time = redis.call('TIME')
local now = ('%.0f'):format(time[1] * 1000 + math.floor(time[2] / 1000))

-- The id that an entry gets behind the newest; nothing if it gets none.
local function next_id(newest, asked)
  local newest_ms, newest_seq = parts(newest)
  local ms, seq = now, '*'
  if asked ~= '*' then ms, seq = parts(asked) end
  if asked == '*' and not is_larger(now, newest_ms) then
    ms, seq = newest_ms, after(newest_seq)
    if not seq then ms, seq = after(newest_ms), '0' end
  elseif ms == newest_ms then
    if seq == '*' then seq = after(newest_seq) elseif not is_larger(seq, newest_seq) then seq = nil end
  elseif is_larger(ms, newest_ms) then
    if seq == '*' then seq = '0' end
  else
    seq = nil
  end
  return ms and seq and ms .. '-' .. seq
end

-- The largest id that a stream ever gave. Redis copies an entry for that, and without FULL it copies two.
local function newest_of(key)
  if redis.call('EXISTS', key) == 0 then return '0-0' end
  local info = redis.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', 1)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end

local keep, places = {}, {}
for count in ARGV[1]:gmatch('%d+') do keep[#keep + 1] = count end
for stream, id in ARGV[2]:gmatch('(%d+) ([^,]+)') do
  places[#places + 1] = { stream = tonumber(stream), id = id, bytes = FIRST_ENTRY + #places + 1 }
end

-- Whether all of it is there already, but for what was trimmed since.
local function is_there()
  local found = false
  for _, place in ipairs(places) do
    local key = KEYS[place.stream]
    local entry = redis.call('XRANGE', key, place.id, place.id)[1]
    if entry then
      local fields = entry[2]
      if #fields ~= 2 or fields[1] ~= 'd' or fields[2] ~= ARGV[place.bytes] then return false end
      found = true
    else
      local oldest = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
      if not oldest or next_id(oldest[1], place.id) then return false end
    end
  end
  return found
end

local ids = { 'stored' }

local function refuse(number, newest)
  if ARGV[3] ~= '1' or not is_there() then return { 'not larger', number, newest } end
  for i, place in ipairs(places) do ids[i + 1] = place.id end
  return ids
end

-- Since Redis 7 access lists can allow a command for some keys and not for others.
local may_add = redis.acl_check_cmd or function() return true end

for k, key in ipairs(KEYS) do
  if not may_add('XADD', key, '*', 'd', '') then
    return redis.error_reply("NOPERM this user has no permissions to run the 'xadd' command on '" .. key .. "'")
  end
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'stream' and kind ~= 'none' then return { 'not a stream', k } end
end

-- With one stream whose first id is given, Redis can be left to compare it: nothing is there yet to be half done.
local is_tried = #KEYS == 1 and places[1].id:find('%d$')
local newest = {}
for i, place in ipairs(places) do
  local last = newest[place.stream]
  if i == 1 and is_tried then
    ids[2] = place.id
  else
    last = last or newest_of(KEYS[place.stream])
    ids[i + 1] = next_id(last, place.id)
    if not ids[i + 1] then return refuse(i, last) end
  end
  newest[place.stream] = ids[i + 1]
end

for i, place in ipairs(places) do
  local key = KEYS[place.stream]
  local added = redis.pcall('XADD', key, 'MAXLEN', '~', keep[place.stream], ids[i + 1], 'd', ARGV[place.bytes])
  if added.err then
    local last = is_tried and newest_of(key)
    if last and not next_id(last, place.id) then return refuse(i, last) end
    -- What was added before is taken back. Nobody has seen it: nobody does until a script is over.
    for j = 1, i - 1 do redis.pcall('XDEL', KEYS[places[j].stream], ids[j + 1]) end
    return added
  end
end
return ids
