#!/usr/bin/env bash
# Server (OFREP, all flags at once) and SDK answer alike: random flags of every kind, random contexts. With
# CHECK_FULL 1,000,000 pairs.
set -u -o pipefail
build=${BUILD:?}
work=$(mktemp -d "${TMPDIR:-/tmp}/agree.XXXXXX") || exit 1
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
flags=${CHECK_FULL:+200}
flags=${flags:-60}
contexts=${CHECK_FULL:+5000}
contexts=${contexts:-100}

"$build/flag-server" init --store sqlite:flags.db --token-file token >/dev/null 2>&1
LOCKSTEP_TOKEN=$(cat token)
export LOCKSTEP_TOKEN
"$build/flag-server" serve --store sqlite:flags.db --listen 127.0.0.1:0 --port-file port 2>log &
server=$!
for _ in $(seq 200); do
    [ ! -s port ] || break
    sleep 0.05
done
export LOCKSTEP_URL=http://127.0.0.1:$(cat port)

mkdir shop
awk -v n="$flags" 'function r(k) { return int(rand() * k) }
function serve(   k) {
    k = r(5)
    if (k == 0) return "{\"variant\":\"on\"}"
    if (k == 1) return "{\"variant\":\"off\"}"
    if (k == 2) return "{\"ramp\":{\"percent\":" r(100001) / 1000 ",\"variant\":\"on\"}}"
    if (k == 3) return "{\"split\":{\"on\":30,\"off\":30,\"third\":40}}"
    return "{\"ramp\":{\"percent\":" r(100) ",\"split\":{\"on\":50,\"third\":50}}}"
}
function when(   k) {
    k = r(6)
    if (k == 0) return "plan == \u0027pro\u0027"
    if (k == 1) return "has(seats) && seats >= " r(100)
    if (k == 2) return "domain.under(\u0027example" r(5) ".com\u0027)"
    if (k == 3) return "seats > " r(100) " || plan.startsWith(\u0027p\u0027)"
    if (k == 4) return "email.matches(\u0027^[a-m]\u0027)"
    return "bucket(targetingKey, \u0027s" r(9) "\u0027) < 50000"
}
BEGIN { srand(11)
    for (i = 0; i < n; i++) {
        file = "shop/flag-" i ".json"
        values = i % 3 == 0 ? "\"type\":\"string\",\"variants\":{\"on\":\"1\",\"off\":\"0\",\"third\":\"3\"}" : \
            i % 3 == 1 ? "\"type\":\"object\",\"variants\":{\"on\":{\"a\":1},\"off\":{},\"third\":{\"b\":[1]}}" : \
            "\"type\":\"boolean\",\"variants\":{\"on\":true,\"off\":false,\"third\":true}"
        printf "{\"key\":\"flag-%d\",%s,\"off_variant\":\"off\",\"state\":\"%s\",\"bucket_by\":\"%s\"", i, values,
            r(10) ? "on" : "off", r(4) ? "targetingKey" : "company" >file
        printf ",\"individual\":{\"user-%d\":\"third\"},\"domains\":{", r(50) >file
        printf "\"example%d.com\":%s,\"*.example%d.com\":%s,\"a.example3.com\":{\"rules\":true}}", r(3), serve(), r(5), serve() >file
        printf ",\"rules\":[" >file
        for (k = r(4); k > 0; k--)
            printf "{\"when\":\"%s\",\"serve\":%s,\"on_error\":\"%s\"}%s", when(), serve(), r(2) ? "skip" : "stop", k > 1 ? "," : "" >file
        printf "],\"fallthrough\":%s}", serve() >file
        close(file)
    }
}'
"$build/flags" apply shop >said 2>&1 || {
    cat said
    exit 1
}
awk -v n="$contexts" 'function r(k) { return int(rand() * k) }
BEGIN { srand(5)
    for (i = 0; i < n; i++) {
        printf "{\"n\":%d", i
        if (r(10)) printf ",\"targetingKey\":\"user-%d\"", r(2000)
        if (r(3)) printf ",\"company\":%d", r(300)
        if (r(3)) printf ",\"plan\":\"%s\"", r(2) ? "pro" : "free"
        if (r(3)) printf ",\"seats\":%d", r(200)
        if (r(2)) printf ",\"domain\":\"%sexample%d.com\"", r(2) ? "a." : "", r(6)
        if (r(2)) printf ",\"email\":\"%c@example%d.com\"", 97 + r(26), r(6)
        print "}"
    }
}' >contexts
keys=$(seq -f 'flag-%.0f' -s , 0 $((flags - 1)))
"$build/tests/sdk/ask" "$keys" <contexts | sed 's/  */ /' >sdk
# one connection for all requests
while IFS= read -r context; do
    printf 'next\nsilent\nurl = "%s/ofrep/v1/evaluate/flags"\nheader = "Authorization: Bearer %s"\ndata = "%s"\nwrite-out = "\\n"\n' \
        "$LOCKSTEP_URL" "$LOCKSTEP_TOKEN" "${context//\"/\\\"}" | sed 's/^data = "\(.*\)"$/data = "{\\"context\\":\1}"/'
done <contexts | sed 1d >requests
curl -s -K requests | jq -r '.flags | sort_by(.key | ltrimstr("flag-") | tonumber)[] |
    if .errorCode then "\(.key) ERROR" else "\(.key) \(.variant // "") \(.reason)" end' >ofrep
# what failed has no variant over OFREP
awk '{ if ($NF == "ERROR") print $1, "ERROR"; else print }' sdk >sdk-told
pairs=$(wc -l <sdk-told)
echo "$pairs answers, $(sort -u -k2 sdk-told | wc -l) different ones"
if [ "$pairs" -eq $((flags * contexts)) ] && cmp -s sdk-told ofrep && [ "$(cut -d' ' -f2- sdk-told | sort -u | wc -l)" -ge 8 ]; then
    echo '1 passed, 0 failed'
else
    diff sdk-told ofrep | head -10
    echo '0 passed, 1 failed'
    exit 1
fi
