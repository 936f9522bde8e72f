#!/usr/bin/env bash
# Checks that the four servers are siblings: the same files, and in each file the same items in the same order under the
# same doc comments. Only what a runtime forces may differ:
#   - a doc comment may name the runtime (`tokio`, `async-std`, `smol`, `threads`), and signatures may differ;
#   - an item that a runtime has no use for is named in its place by a comment `// NAME: no ITEM, because …`;
#   - an item that only one runtime needs is announced by a comment `// NAME: only here, because …` above its docs.
# Exit 0 when they are alike, 1 with the difference when they are not.
set -euo pipefail
cd "$(dirname "$0")/.."

servers=(tokio async-std smol threads)

# Prints the items of FILE, one line each: the item's kind and name, then its doc comment's first sentence.
items() {
    awk -v server="$2" '
        function flush_item(name) {
            if (!only) print name "  --  " doc
            doc = ""; only = 0
        }
        /^[ ]*\/\/ / {
            line = $0; sub(/^[ ]*\/\/ /, "", line)
            if (index(line, server ": only here, because ") == 1) only = 1
            if (index(line, server ": no `") == 1) {
                name = line; sub(/^[^`]*`/, "", name); sub(/`.*/, "", name)
                print name "  --  absent"
            }
            next
        }
        /^[ ]*\/\/\/ / { line = $0; sub(/^[ ]*\/\/\/ /, "", line); doc = doc (doc == "" ? "" : " ") line; next }
        /^[ ]*#\[/ { next }
        /^mod tests/ { exit }
        match($0, /^(pub(\([a-z]+\))? )?(async )?(fn|struct|enum|trait|const|static|type) [A-Za-z_]+/) {
            name = substr($0, RSTART, RLENGTH); sub(/^pub(\([a-z]+\))? /, "", name); sub(/^async /, "", name)
            flush_item(name); next
        }
        match($0, /^    (pub(\([a-z]+\))? )?(async )?fn [A-Za-z_]+/) {
            name = substr($0, RSTART + 4, RLENGTH - 4); sub(/^pub(\([a-z]+\))? /, "", name); sub(/^async /, "", name)
            flush_item("    " name); next
        }
        { doc = ""; }
    ' "$1"
}

failed=0
complain() {
    echo "siblings: $1" >&2
    failed=1
}

model=${servers[0]}
for server in "${servers[@]:1}"; do
    there=$(cd "crates/server-$model" && find src tests -name '*.rs' | sort)
    here=$(cd "crates/server-$server" && find src tests -name '*.rs' | sort)
    for file in $(comm -12 <(echo "$there") <(echo "$here")); do
        one=$(items "crates/server-$model/$file" "$model")
        two=$(items "crates/server-$server/$file" "$server")
        # An item that one side declares absent is compared by its place alone.
        for absent in $(sed -n 's/^\(.*\)  --  absent$/\1/p' <<<"$two" | tr ' ' '~'); do
            name=${absent//\~/ }
            one=$(awk -v name="$name" '{ item = $0; sub(/  --  .*/, "", item); bare = item; sub(/^ +/, "", bare); sub(/^[a-z]+ /, "", bare)
                if (item == name || bare == name) print name "  --  absent"; else print }' <<<"$one")
        done
        if ! difference=$(diff --label "$model/$file" --label "$server/$file" -U1 <(echo "$one") <(echo "$two")); then
            complain "crates/server-$server/$file differs from crates/server-$model/$file:"
            echo "$difference" >&2
        fi
    done
    for file in $(comm -3 <(echo "$there") <(echo "$here") | tr -d '\t'); do
        only=crates/server-$server/$file
        [ -e "$only" ] || only=crates/server-$model/$file
        grep -q "^// .*: only here, because " "$only" || complain "$only has no sibling, and does not say why in a line '// NAME: only here, because …'"
    done
done

# Every server opens with the same table of ideas.
ideas() { sed -n 's/^\/\/! | \([a-z]*\) .*/\1/p' "crates/server-$1/src/main.rs" | tr '\n' ' '; }
for server in "${servers[@]:1}"; do
    [ "$(ideas "$server")" = "$(ideas "$model")" ] || complain "the table of crates/server-$server/src/main.rs lists other ideas: $(ideas "$server")"
done

if [ "$failed" = 0 ]; then
    echo "siblings: ${#servers[@]} servers, the same items in the same order"
fi
exit "$failed"
