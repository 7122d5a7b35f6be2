-- What wrk tells at the end, for a program to read: its own text is rounded.
-- Arguments: the token to send, or "-"; the size of a body to POST, or 0.

function init(arguments)
    if arguments[1] ~= "-" then
        wrk.headers["Authorization"] = "Bearer " .. arguments[1]
    end
    local size = tonumber(arguments[2])
    if size > 0 then
        wrk.method = "POST"
        wrk.headers["Content-Type"] = "application/json"
        wrk.body = '{"search":"' .. string.rep("g", size - 13) .. '"}'
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\nmeasured {"requests": %d, "bytes": %d, "duration_us": %d, "p50_us": %d, "p90_us": %d, "p99_us": %d,'
            .. ' "errors": %d, "refused": %d}\n',
        summary.requests, summary.bytes, summary.duration,
        latency:percentile(50), latency:percentile(90), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.timeout, errors.status
    ))
end
