-- Reads for wrk: the paths of a file at random, one a line; after a tab, an entity tag to ask with.
--   wrk -s reads.lua BASE -- FILE [HEADER VALUE]...
-- At its end one line: good answers a second, p50 and p99 in ms, failures.
local threads = 0
setup = function(thread)
    threads = threads + 1
    thread:set("seed", threads)
end
init = function(args)
    math.randomseed(os.time() * 10 + seed)
    requests = {}
    for line in io.lines(args[1]) do
        local path, tag = line:match("^([^\t]+)\t?(.*)$")
        local headers = {}
        for i = 2, #args - 1, 2 do headers[args[i]] = args[i + 1] end
        if tag ~= "" then headers["If-None-Match"] = tag end
        table.insert(requests, wrk.format("GET", path, headers))
    end
end
request = function() return requests[math.random(#requests)] end
done = function(summary, latency)
    local failed = summary.errors.status + summary.errors.timeout + summary.errors.connect
        + summary.errors.read + summary.errors.write
    local good = summary.requests - summary.errors.status
    io.write(string.format("%.0f %.3f %.3f %d figures\n", good / summary.duration * 1e6,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
