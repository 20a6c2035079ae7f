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

debootstrap --variant=minbase --include=ca-certificates,git,nodejs,npm,procps bookworm "$target"
for place in proc sys dev; do mount --rbind "/$place" "$target/$place"; mount --make-rslave "$target/$place"; done
trap 'for place in dev sys proc; do umount -R -l "$target/$place"; done' EXIT
cp /etc/resolv.conf "$target/etc/resolv.conf"
# How this machine reaches its registries is the network's affair, not the project's.
for file in /etc/npmrc "$HOME/.npmrc"; do [ ! -f "$file" ] || cp "$file" "$target/root/.npmrc"; done

git clone --quiet --no-hardlinks "$project" "$target/root/project"
for command in "${wanted[@]}"; do
  echo "== $command"
  nice -n 19 chroot "$target" env -i HOME=/root PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin TERM=dumb \
    ${SSL_CERT_FILE:+SSL_CERT_FILE=$SSL_CERT_FILE} bash -c "cd /root/project && $command"
done
