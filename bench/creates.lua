-- Creates articles for wrk, each published at once and with a title of its own.
--   wrk -s creates.lua BASE -- TOKEN SECTION [ROUND]
-- At its end one line: articles a second, p50 and p99 in ms, failures.
local threads = 0
setup = function(thread)
    threads = threads + 1
    thread:set("number", threads)
end
init = function(args)
    headers = { ["Authorization"] = "Bearer " .. args[1], ["Content-Type"] = "application/json" }
    section, prefix, made = args[2], (args[3] or "1") .. "." .. number, 0
    local paragraph = "<p>" .. string.rep("居民服务清晨数据交通水质计划设施开放记录", 8) .. "。</p>"
    body = string.rep(paragraph, 3)
end
request = function()
    made = made + 1
    local title = string.format("渡口通航公告 %s.%d", prefix, made)
    return wrk.format("POST", "/v1/admin/articles", headers, string.format(
        '{"title": "%s", "section_id": %s, "body": {"format": "html", "content": "%s"}, "publish": {}}',
        title, section, body))
end
done = function(summary, latency)
    local failed = summary.errors.status + summary.errors.timeout + summary.errors.connect
        + summary.errors.read + summary.errors.write
    local good = summary.requests - summary.errors.status
    io.write(string.format("%.0f %.3f %.3f %d figures\n", good / summary.duration * 1e6,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
