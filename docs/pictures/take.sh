#!/usr/bin/env bash
# Retakes the pictures of the documents from the real program: saoma demo in an xterm on a screen that nobody sees.
#
#   cargo build --release && docs/pictures/take.sh            # all of them
#   SAOMA=target/debug/saoma docs/pictures/take.sh account    # one of them, from another build
#
# Needs (Debian's names): xvfb xterm xdotool imagemagick fonts-dejavu-core fonts-noto-cjk.
# The codes are the demo's: dummies that log nobody in. Look at every picture before it is committed.
set -euo pipefail
cd "$(dirname "$0")/../.."
SAOMA=${SAOMA:-target/release/saoma}
[ -x "$SAOMA" ] || { echo "no $SAOMA: build it first, or set SAOMA" >&2; exit 1; }
OUT=docs/pictures
WORK=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$WORK"' EXIT

Xvfb -displayfd 3 -screen 0 1600x1200x24 -nolisten tcp 3>"$WORK/display" >/dev/null 2>&1 &
until [ -s "$WORK/display" ]; do sleep 0.1; done
DISPLAY=:$(cat "$WORK/display")
export DISPLAY

# Colours of the xterm, its own sixteen toned down a little so that they are even on paper.
DARK=(-bg '#16181d' -fg '#d5d8de' -xrm '*color8: #6b7280')
LIGHT=(-bg '#fdfdfb' -fg '#24262b' -xrm '*color1: #b3261e' -xrm '*color2: #1e7a34' -xrm '*color3: #8a6100' -xrm '*color5: #8b2f7f' -xrm '*color6: #00707f')
PALETTE=(-xrm '*color1: #e5706b' -xrm '*color2: #7cc47f' -xrm '*color3: #d9b55b' -xrm '*color5: #c792d6' -xrm '*color6: #62bccb')

# picture NAME SIZE LANG COLOURS KEYS…   A key is xdotool's name; a number of seconds after + is a pause.
picture() {
  local name=$1 size=$2 lang=$3 colours=$4
  shift 4
  local look=("${DARK[@]}" "${PALETTE[@]}")
  [ "$colours" = light ] && look=("${LIGHT[@]}")
  env -i PATH="$PATH" HOME="$WORK" DISPLAY="$DISPLAY" LANG=C.UTF-8 TZ=UTC SAOMA_LANG="$lang" \
    xterm -u8 +sb -xrm '*boldColors: false' -b 8 -bw 0 -fa 'DejaVu Sans Mono' -fd 'Noto Sans Mono CJK SC' -fs 11 "${look[@]}" \
    -geometry "$size+0+0" -T saoma -e "$SAOMA" demo --seed 7 --at 2026-01-05T09:00:00Z \
    --scenario docs/pictures/names.toml &
  local xterm=$! window
  window=$(xdotool search --sync --onlyvisible --pid "$xterm" | head -1)
  xdotool windowfocus --sync "$window"
  sleep 2
  local key
  for key in "$@"; do
    case $key in
      +*) sleep "${key#+}" ;;
      *) xdotool key --window "$window" "$key"; sleep 0.3 ;;
    esac
  done
  sleep 1
  import -window "$window" png:- | convert png:- -strip +dither -colors 160 "png8:$OUT/$name.png"
  kill "$xterm"
  wait "$xterm" 2>/dev/null || true
  echo "$OUT/$name.png $(stat -c %s "$OUT/$name.png") bytes"
}

wanted() { [ ${#ONLY[@]} -eq 0 ] || [[ " ${ONLY[*]} " == *" $1 "* ]]; }
ONLY=("$@")

# A second login that is confirmed, then a code: so that every pane has something to show.
BUSY=(j s +1 7 +3 g Return +3)
wanted login && picture login 80x24 en dark "${BUSY[@]}"
wanted account && picture account 80x24 en dark j s +1 7 +3 G
wanted dialog && picture dialog 80x24 en dark j s +2
wanted chinese && picture chinese 80x24 zh dark "${BUSY[@]}"
wanted light && picture light 80x24 en light "${BUSY[@]}"
wanted history && picture history 80x24 en dark h +2
wanted conveyor && picture conveyor 80x24 en dark S +1 Return +6
wanted wide && picture wide 120x40 en dark "${BUSY[@]}"
exit 0
