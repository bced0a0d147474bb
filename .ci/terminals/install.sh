#!/usr/bin/env bash
# Installs what matrix.py needs on a Debian machine.
set -euo pipefail
apt-get update -q
apt-get install -qy --no-install-recommends xvfb x11-utils xdotool imagemagick qrencode libzbar0 tmux screen dbus-x11 \
  xterm rxvt-unicode kitty alacritty stterm konsole xfce4-terminal \
  fonts-dejavu fonts-noto-cjk fonts-noto-mono fonts-wqy-zenhei fonts-jetbrains-mono fonts-firacode
python3 -m pip install -q opencv-contrib-python-headless zxing-cpp pyzbar numpy pillow
