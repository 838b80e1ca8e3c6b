#!/usr/bin/env bash
# Many customers, the whole way: a CSV file into the server, its rules to the SDK in parts, its cache on
# disk; server and SDK give one answer; mistakes in a file change nothing.
set -u -o pipefail
build=${BUILD:?}
work=$(mktemp -d "${TMPDIR:-/tmp}/domains.XXXXXX") || exit 1
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0
count=${CHECK_FULL:+1000000}
count=${count:-20000}
asked=${CHECK_FULL:+1000}
asked=${asked:-50}

check() { # WHAT STATUS
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1"
        tail -n 8 said 2>/dev/null
    fi
}
flags() { "$build/flags" "$@" >said 2>&1; }
says() { grep -qF -- "$1" said; }
exits() { # CODE COMMAND...
    local want=$1
    shift
    "$@"
    [ $? -eq "$want" ]
}
serve() {
    rm -f port
    "$build/flag-server" serve --store sqlite:flags.db --listen 127.0.0.1:0 --port-file port 2>>log &
    server=$!
    for _ in $(seq 600); do
        [ ! -s port ] || break
        sleep 0.05
    done
    export LOCKSTEP_URL=http://127.0.0.1:$(cat port)
}
ask() { "$build/tests/sdk/ask" shop cache <"$1"; }

"$build/flag-server" init --store sqlite:flags.db --token-file token >said 2>&1
LOCKSTEP_TOKEN=$(cat token)
export LOCKSTEP_TOKEN
serve
flags create shop && flags on shop
check "a flag is made" $?

# ---- a file and its mistakes ----

printf '\xef\xbb\xbfdomain,variant,percent\r\nAcme.COM.,on,\r\n*.globex.com,on,25 %%\r\n\r\n"initech.com",(rules),\r\n"b\xc3\xbccher.example",,50\r\nacme.com,on,\r\n' >small.csv
flags domains shop --import small.csv --dry-run && says "4 customers would be added" && says "1 rows stand there twice"
check "a dry run says what would change" $?
flags domains shop && says "has no domain rules"
check "and changes nothing" $?
flags domains shop --import small.csv && says "4 customers added" && flags domains shop && says "xn--bcher-kva.example"
check "a byte order mark, CRLF, an empty line, quotes and IDN are read" $?
flags domains shop --export - && tr -d '\r' <said >out && diff -u - out <<'END'
domain,variant,percent
*.globex.com,on,25
acme.com,on,
initech.com,(rules),
xn--bcher-kva.example,on,50
END
check "what is exported is what was imported" $?
printf 'domain;percent\nacme.com;12,5\nx.example;101\nno domain;5\n\n"two\nlines";5\ny.example;5\nY.example.;6\nz.example;5;on;4\n' >bad.csv
exits 2 flags domains shop --import bad.csv && says "bad.csv:3: column 2: '101' is no percentage" &&
    says "bad.csv:4: column 1: 'no domain' is no domain" && says "bad.csv:6: column 1: 'two lines'" &&
    says "bad.csv:9: y.example stands in line 8 too" && says "4 mistakes"
check "mistakes are told with line and column" $?
flags domains shop --export after.csv && tr -d '\r' <after.csv | cmp -s - out
check "and nothing was changed by the rows that were right" $?
for bad in '' 'acme.com,on\n' 'domain,varian\nacme.com,on\n' 'domain,domain\na.com,b.com\n' 'domain\n"acme.com\n' \
    'domain\nac"me.com\n' 'domain,variant\nacme.com,blue\n' 'domain,variant\nacme.com,{"x"\n' \
    'domain,variant,percent\nacme.com,"{""rules"":true}",5\n' 'domain\nac\xffme.com\n' 'domain\nac\x00me.com\n'; do
    printf "$bad" >bad.csv
    exits 2 flags domains shop --import bad.csv
    check "refused: $bad" $?
done
printf 'domain,variant\n*.co.uk,on\nfine.example,on\n' >wide.csv
exits 3 flags domains shop --import wide.csv && says "co.uk" && says "--wide"
check "a public suffix is refused" $?
flags domains shop --import wide.csv --wide && says "2 customers added"
check "unless it is meant" $?
exits 2 flags domains shop --replace
check "--replace needs a file" $?
flags create odd --type string --variants '{"=1+1": "a", "@x": "b", "off": "c"}' --off-variant off
printf 'domain,variant,percent\na.example,'"'"'=1+1,\nb.example,@x,10\nc.example,"{""split"":{""=1+1"":50,""@x"":50}}",\n' >odd.csv
flags domains odd --import odd.csv && flags domains odd --export odd2.csv && grep -q "\"'=1+1\"" odd2.csv &&
    grep -q "\"'@x\",10" odd2.csv && flags domains odd --import odd2.csv --replace && says "0 customers added, 0 changed, 0 removed"
check "no cell is a formula, and each is read back as it was" $?

# ---- many ----

awk -v n="$count" 'BEGIN {
    print "domain,variant,percent"
    for (i = 0; i < n; i++)
        printf "%scustomer-%d.example%d.com,%s,%s\n", i % 2 ? "*." : "", i, i % 97, i % 5 ? "on" : "off", i % 3 ? "" : 25
}' >many.csv
began=$(date +%s%N)
flags domains shop --import many.csv --replace && says "$count customers added"
check "$count customers are imported" $?
echo "$count rows imported in $((($(date +%s%N) - began) / 1000000)) ms"
flags show shop --json && grep -q '"domain-set"' said
check "they are a domain set" $?
flags domains shop --export many2.csv && [ "$(wc -l <many2.csv)" -eq $((count + 1)) ] &&
    flags domains shop --import many2.csv --replace --dry-run && says "0 customers would be added, 0 changed, 0 removed"
check "exported and read again they are the same" $?

awk -v n="$count" -v asked="$asked" 'BEGIN { srand(7)
    for (i = 0; i < asked; i++) {
        k = int(rand() * n)
        printf "{\"targetingKey\":\"user-%d\",\"domain\":\"%scustomer-%d.example%d.com\"}\n", i, i % 3 ? "a.b." : "", k, k % 97
    }
}' >contexts
ask contexts >sdk
check "the SDK answers" $?
while IFS= read -r context; do
    curl -s -X POST -H "Authorization: Bearer $LOCKSTEP_TOKEN" -d "{\"context\":$context}" \
        "$LOCKSTEP_URL/ofrep/v1/evaluate/flags/shop" | jq -r '"\(.variant) \(.reason)"'
done <contexts >ofrep
cmp -s sdk ofrep && [ "$(sort -u sdk | wc -l)" -ge 4 ]
check "server and SDK give the same answers" $?
shards=$(find cache.domains -type f | wc -l)
[ "$shards" -ge 2 ]
check "the SDK keeps each part on disk" $?

began=$(date +%s%N)
flags ramp shop --domain new.example --to 100% && says "new.example: 0 % -> 100 %"
check "one customer more" $?
echo "one of $count customers changed in $((($(date +%s%N) - began) / 1000000)) ms"
ls cache.domains | sort >before
echo '{"targetingKey":"u","domain":"new.example"}' >new
[ "$(ask new)" = "on TARGETING_MATCH" ]
check "is answered" $?
ls cache.domains | sort >now
[ "$(comm -13 before now | wc -l)" -eq 1 ] && [ "$(comm -23 before now | wc -l)" -eq 1 ]
check "and is one part, of which the old one goes" $?
flags domain-remove shop new.example && [ "$(ask new)" = "off DEFAULT" ]
check "one customer less" $?
exits 1 flags domain-remove shop new.example
check "once" $?
flags simulate shop --change '{"fallthrough": {"variant": "on"}}' --contexts contexts --json && says '"changed"'
check "simulate knows them" $?
flags who shop && says "customer-1.example1.com"
check "who shows them" $?

# ---- the server dies; the cache stays ----

kill -KILL "$server"
wait "$server" 2>/dev/null
ask contexts >offline
cmp -s sdk offline
check "without the server the SDK answers from its cache" $?
for file in cache.domains/*; do
    echo "x.example 0" >>"$file"
done
ask contexts >damaged
[ "$(grep -c ' ERROR$' damaged)" -eq "$asked" ]
check "a part that was changed is not answered from" $?
serve
ask contexts >again
cmp -s sdk again
check "the server has all of it after kill -9, and the SDK mends its cache" $?

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
