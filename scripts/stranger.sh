#!/usr/bin/env bash
# The README's own commands in a bare Debian 12, as a stranger would type them: nothing of this machine but a clone.
# Usage: sudo scripts/stranger.sh DIRECTORY [COMMAND ...]      all of "npm run journey" and "npm test" unless told
# Needs debootstrap and some 4 GB in DIRECTORY, which must not be there yet.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
target=$1
shift
project=$(cd "$(dirname "$0")/.." && pwd)
[ ! -e "$target" ] || { echo "$target is there already: name another directory." >&2; exit 1; }

# A command counts only if the README tells it to people.
wanted=("${@:-}")
[ -n "${wanted[0]}" ] || wanted=('npm run journey' 'npm test')
for command in "${wanted[@]}"; do
  grep -qE "^$command( |\$)" "$project/README.md" || { echo "README.md has no line \"$command\"." >&2; exit 1; }
done

debootstrap --variant=minbase --include=ca-certificates,git,procps bookworm "$target"
for place in proc sys dev; do mount --rbind "/$place" "$target/$place"; mount --make-rslave "$target/$place"; done
trap 'for place in dev sys proc; do umount -R -l "$target/$place"; done' EXIT
# How this machine reaches its registries, and whom it trusts there, is the network's affair and not the project's.
cp /etc/resolv.conf "$target/etc/resolv.conf"
# The installer writes it, debootstrap does not.
echo '127.0.0.1 localhost' > "$target/etc/hosts"
cp /etc/ssl/certs/ca-certificates.crt "$target/etc/ssl/certs/ca-certificates.crt"
for file in /etc/npmrc "$HOME/.npmrc"; do [ ! -f "$file" ] || cp "$file" "$target/root/.npmrc"; done

inside() {
  nice -n 19 chroot "$target" env -i HOME=/root PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin TERM=dumb \
    DEBIAN_FRONTEND=noninteractive NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt bash -c "$1"
}
# Debian 12 has Node 18; the README asks for 20, which npm has.
inside 'apt-get update -q && apt-get install -qy --no-install-recommends nodejs npm && npm install --global node@20 && hash -r && npm install --global npm@11'

git clone --quiet --no-hardlinks "$project" "$target/root/project"
for command in "${wanted[@]}"; do
  echo "== $command"
  inside "cd /root/project && $command"
done
