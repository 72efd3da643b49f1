-- Registrations for wrk: each a user nobody has registered, of the length that people's are, in no order.
-- Bodies are cut into pieces beforehand, so that a request costs one concatenation: the generator shares its cores
-- with what it measures.
--
-- Arguments: tag of the run, then first names, last names and domains, each list separated by commas.
--
-- Latencies: a connection sends its next request only after the reply to its last, so a stall of the server delays
-- requests that are then never measured ("coordinated omission"). wrk adds what it believes those would have taken,
-- from the mean interval between requests of a connection, before it hands the figures to done(). Neither is what
-- clients would see that come at a rate of their own.

local threads_made = 0

function setup(thread)
   thread:set("number", threads_made)
   threads_made = threads_made + 1
end

local digits = "0123456789abcdefghijklmnopqrstuvwxyz"
local pairs_of_digits = {}
for high = 1, 36 do
   for low = 1, 36 do
      pairs_of_digits[(high - 1) * 36 + low - 1] = digits:sub(high, high) .. digits:sub(low, low)
   end
end

-- As in benches/support/users.rs: a walk over all tokens in far steps, none twice.
local tokens, step, token = 36 ^ 6, 1345325431, 0
local templates, template = {}, 0

local function list(text)
   local words = {}
   for word in text:gmatch("[^,]+") do
      words[#words + 1] = word
   end
   return words
end

-- A request in three pieces, with the token between them.
local function cut(first, last, domain, tag)
   local email = { '{"email":"' .. first .. "." .. last, tag .. "@" .. domain }
   local rest = { '","username":"' .. first .. " " .. last .. '","password":"', '-Vq7#m"}' }
   local length = #email[1] + #email[2] + #rest[1] + #rest[2] + 2 * 6
   local head = "POST /auth/register HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port ..
      "\r\nContent-Type: application/json\r\nContent-Length: " .. length .. "\r\n\r\n"
   return { head .. email[1], email[2] .. rest[1], rest[2] }
end

function init(args)
   local tag = digits:sub(number % 36 + 1, number % 36 + 1) .. args[1]
   local first_names, last_names, domains = list(args[2]), list(args[3]), list(args[4])
   for i = 0, #first_names * #last_names - 1 do
      local first = first_names[i % #first_names + 1]
      local last = last_names[math.floor(i / #first_names) % #last_names + 1]
      templates[i] = cut(first, last, domains[i % #domains + 1], tag)
   end
   -- Threads start at different places, in the alphabet too.
   token = (number + 1) * 123456789 % tokens
   template = number * 97 % (#templates + 1)
end

function request()
   token = (token + step) % tokens
   template = (template + 1) % (#templates + 1)
   local t = templates[template]
   local high = pairs_of_digits[math.floor(token / 1679616)]
   local middle = pairs_of_digits[math.floor(token / 1296) % 1296]
   local low = pairs_of_digits[token % 1296]
   return t[1] .. high .. middle .. low .. t[2] .. high .. middle .. low .. t[3]
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\njeday-bench {"requests":%d,"duration_us":%d,"not_2xx":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,' ..
         '"p50_us":%d,"p95_us":%d,"p99_us":%d,"max_us":%d}\n',
      summary.requests, summary.duration, errors.status, errors.connect, errors.read, errors.write, errors.timeout,
      latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
