-- What wrk sends again and again, and the line that it prints at the end.
-- Arguments: a file with the body, and its content type.

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   wrk.method = "POST"
   wrk.body = file:read("*a")
   wrk.headers["Content-Type"] = arguments[2]
   file:close()
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"seconds": %f, "requests": %d, "p50": %f, "p95": %f, "p99": %f, "refused": %d, "broken": %d}\n',
      summary.duration / 1e6, summary.requests,
      latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
