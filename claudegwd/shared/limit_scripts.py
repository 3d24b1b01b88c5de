"""What the store runs to count the limits of clients. Each script runs atomically there."""

from typing import Final

from claudegwd.shared.store import Script

# Buckets as in limits/bucket.py, of requests (r) and of tokens (t), by the store's own clock. A capacity of 0 is no
# limit. Full ones need not be kept.
_BUCKETS: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local found = redis.call('HMGET', KEYS[1], 'r', 'r_at', 'r_of', 't', 't_at', 't_of')
local function level(first, capacity)
  if capacity == 0 then return 0 end
  if not found[first] then return capacity end
  local of = tonumber(found[first + 2])
  return math.min(of, found[first] + math.max(0, now - found[first + 1]) * of / 60) * capacity / of
end
local function keep(rpm, requests, tpm, tokens)
  local at, fields, full = string.format('%.17g', now), {}, 0
  for _, one in ipairs({{'r', rpm, requests}, {'t', tpm, tokens}}) do
    local name, capacity, left = unpack(one)
    if capacity > 0 then
      for _, word in ipairs({name, string.format('%.17g', left), name .. '_at', at, name .. '_of', capacity}) do
        fields[#fields + 1] = word
      end
      full = math.max(full, (capacity - left) * 60000 / capacity)
    end
  end
  if #fields > 0 then
    redis.call('HSET', KEYS[1], unpack(fields))
    redis.call('PEXPIRE', KEYS[1], math.ceil(full) + 1000)
  end
end
"""
# ARGV: requests and tokens per minute, concurrent requests, this request's name, seconds of its lease, the tokens that
# it may use, and the requests and tokens that were used before and not reported yet (negative: given back).
# Returns 0 (admitted), 1 (too many at once), 2 (too many requests per minute) or 3 (too many tokens per minute), the
# levels, and the time.
ADMIT: Final = Script(
    _BUCKETS
    + """
local rpm, tpm, most, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[6])
local requests, tokens, verdict = level(1, rpm) - ARGV[7], math.min(tpm, level(4, tpm) - ARGV[8]), 0
if most > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  if redis.call('ZCARD', KEYS[2]) >= most then verdict = 1 end
end
if verdict == 0 and rpm > 0 then
  if requests < 1 - 1e-9 * rpm then verdict = 2 else requests = requests - 1 end
end
if verdict == 0 and tpm > 0 and wanted > 0 then
  if tokens < wanted - 1e-9 * tpm then verdict = 3 else tokens = tokens - wanted end
end
keep(rpm, requests, tpm, tokens)
if verdict == 0 and most > 0 then
  redis.call('ZADD', KEYS[2], now + ARGV[5], ARGV[4])
  redis.call('PEXPIRE', KEYS[2], math.ceil(ARGV[5] * 1000))
end
return {verdict, string.format('%.17g', requests), string.format('%.17g', tokens), string.format('%.17g', now)}
"""
)
# ARGV: requests per minute and how many were used, tokens per minute and how many were used (negative: given back), and
# the names of requests that ended.
REPORT: Final = Script(
    _BUCKETS
    + """
local rpm, tpm = tonumber(ARGV[1]), tonumber(ARGV[3])
if tonumber(ARGV[2]) ~= 0 or tonumber(ARGV[4]) ~= 0 then
  keep(rpm, level(1, rpm) - ARGV[2], tpm, math.min(tpm, level(4, tpm) - ARGV[4]))
end
if #ARGV > 4 then redis.call('ZREM', KEYS[2], unpack(ARGV, 5)) end
"""
)
# ARGV: seconds of the lease, and the names of the requests still running.
RENEW: Final = Script(
    """
local time = redis.call('TIME')
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], time[1] + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[1] * 1000))
"""
)
