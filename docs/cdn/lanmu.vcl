# Lanmu behind Varnish 6.2 to 7: answers are kept as long as Cache-Control allows, and dropped as soon as a
# write has changed what they show.
#
#   varnishd -a :80 -f /etc/varnish/lanmu.vcl -s malloc,256m
#   LANMU_CDN_KEYS=surrogate-key
#   LANMU_PURGE_URLS=http://127.0.0.1:80/
#   LANMU_TRUSTED_PROXIES=127.0.0.1
#
# Varnish itself adds the client to X-Forwarded-For.
vcl 4.1;

import std;

backend lanmu {
    .host = "127.0.0.1";
    .port = "8080";
}

# From where Lanmu tells what has changed.
acl purgers {
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    if (req.method == "PURGE") {
        if (client.ip !~ purgers) {
            return (synth(405, "Not allowed from here"));
        }
        if (req.http.Surrogate-Key !~ "^[a-z0-9-]+( [a-z0-9-]+)*$") {
            return (synth(400, "No keys"));
        }
        # About obj alone, so that the ban lurker can do it in the background.
        if (!std.ban("obj.http.Surrogate-Key ~ (^|\s)(" +
                regsuball(req.http.Surrogate-Key, " ", "|") + ")(\s|$)")) {
            return (synth(500, std.ban_error()));
        }
        return (synth(200, "Purged"));
    }
    # What is nobody else's business, what is counted, and what is asked about each time anyway.
    if (req.url ~ "^/v1/(admin|auth|preview|hits|changes|site)(/|\?|$)" ||
            req.url ~ "^/v1/(articles|sections)/[^/?]+/hits(\?|$)") {
        return (pass);
    }
    if (req.method == "GET" || req.method == "HEAD") {
        # Delivery is anonymous, whatever other pages of this host have set.
        unset req.http.Cookie;
        set req.url = std.querysort(req.url);
    }
}

sub vcl_backend_response {
    # Varnish takes s-maxage (or max-age) as the time to live, and stale-while-revalidate as the grace. Lanmu
    # sees to it that both end before a schedule changes the answer: make neither longer.
    if (beresp.ttl > 0s) {
        # Of the one request that was asked for all.
        unset beresp.http.X-Request-Id;
        unset beresp.http.RateLimit;
        unset beresp.http.RateLimit-Policy;
    }
}

sub vcl_deliver {
    unset resp.http.Surrogate-Key;
}
