"""Takes saoma's own login screen in real terminals and lets three decoders read it.

Needs an X server's tools and the terminals themselves (see `install.sh` beside this file), and from PyPI:
opencv-contrib-python-headless, zxing-cpp, pyzbar, numpy, pillow.

    python3 .ci/terminals/matrix.py target/release/saoma [--only WORD] [--keep FOLDER] [--peer]

Each session is one terminal with a theme, a font and perhaps a multiplexer, 80x24 at 12 pt. In it runs
`saoma demo`; `r` asks for a code. The screenshot is judged straight, tilted, far away and degraded. A reading counts
when it is the payload, and all readings of one session must be the same one. `--peer` draws the same payload with
`qrencode -t ANSIUTF8` in the same terminal, for comparison.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
import zxingcpp
from PIL import Image
from pyzbar import pyzbar

PREFIX = "http://weixin.qq.com/x/SAOMA-"
COLOURS = {
    "dark": ("#000000", "#d9d9d9"),
    "light": ("#ffffff", "#000000"),
    "solarized": ("#002b36", "#839496"),
}
LATIN = "DejaVu Sans Mono"


def xterm(font, theme, gap, extra=()):
    back, fore = COLOURS[theme]
    spacing = ["-xrm", f"XTerm*scaleHeight: {1 + gap / 16:.3f}"] if gap else []
    return ["xterm", "-fa", font, "-fs", "12", "-geometry", "80x24", "-bg", back, "-fg", fore, *spacing, *extra, "-e"]


def urxvt(font, theme, gap, extra=()):
    back, fore = COLOURS[theme]
    return ["urxvt", "-fn", f"xft:{font}:size=12", "-lsp", str(gap), "-geometry", "80x24", "-bg", back, "-fg", fore, *extra, "-e"]


def kitty(font, theme, gap, extra=()):
    back, fore = COLOURS[theme]
    options = ["font_family=" + font, "font_size=12", "background=" + back, "foreground=" + fore,
               "remember_window_size=no", "initial_window_width=80c", "initial_window_height=24c", "confirm_os_window_close=0"]
    if gap:
        options.append(f"modify_font=cell_height {gap}px")
    return ["kitty", *[word for option in options for word in ("-o", option)], *extra]


def alacritty(font, theme, gap, extra=()):
    back, fore = COLOURS[theme]
    options = [f'font.normal.family="{font}"', "font.size=12", f'colors.primary.background="{back}"',
               f'colors.primary.foreground="{fore}"', "window.dimensions.columns=80", "window.dimensions.lines=24",
               f"font.offset.y={gap}"]
    return ["alacritty", "--config-file", "/dev/null", *[word for option in options for word in ("-o", option)], *extra, "-e"]


def st(font, theme, gap, extra=()):
    # st's own colours and spacing are compiled in: one theme only.
    return ["stterm", "-f", f"{font}:size=12", "-g", "80x24", *extra, "-e"]


def konsole(font, theme, gap, extra=()):
    scheme = {"dark": "WhiteOnBlack", "light": "BlackOnWhite", "solarized": "Solarized"}[theme]
    options = [f"Font={font},12", f"ColorScheme={scheme}", "TerminalColumns=80", "TerminalRows=24", f"LineSpacing={gap}"]
    return ["konsole", "--separate", "--hide-menubar", "--hide-tabbar", *[word for option in options for word in ("-p", option)], *extra, "-e"]


def xfce(font, theme, gap, extra=()):
    back, fore = COLOURS[theme]
    return ["xfce4-terminal", "--disable-server", "--geometry=80x24", f"--font={font} 12", f"--color-bg={back}",
            f"--color-text={fore}", "--hide-menubar", "--hide-scrollbar", *extra, "-x"]


TERMINALS = {"xterm": xterm, "urxvt": urxvt, "kitty": kitty, "alacritty": alacritty, "st": st, "konsole": konsole, "xfce4": xfce}
CHINESE = ["Noto Sans Mono CJK SC", "WenQuanYi Zen Hei Mono"]
FONTS = ["JetBrains Mono", "Fira Code", "Noto Mono"]


def sessions():
    """Yields (group, name, command before the program, wrapper of the program)."""
    for name, make in TERMINALS.items():
        for theme in COLOURS:
            if name == "st" and theme != "dark":
                continue
            yield "ordinary", f"{name} {theme}", make(LATIN, theme, 0), None
        yield "spacing", f"{name} +3px", make(LATIN, "dark", 3), None
        for font in FONTS:
            yield "ordinary", f"{name} {font}", make(font, "dark", 0), None
    for name in ("xterm", "kitty", "alacritty", "urxvt", "st", "xfce4"):
        for font in CHINESE:
            yield "cjk font", f"{name} {font}", TERMINALS[name](font, "dark", 0), None
    for name in ("xterm", "kitty", "alacritty"):
        for mux in ("tmux", "screen"):
            yield "multiplexer", f"{name} {mux}", TERMINALS[name](LATIN, "dark", 0), mux
    for theme in COLOURS:
        for name, extra in (("xterm", ["-ti", "vt340"]), ("kitty", []), ("konsole", [])):
            yield "picture", f"{name} {theme} picture", TERMINALS[name](LATIN, theme, 0, extra), None
    for theme in COLOURS:
        yield "ambiguous wide", f"xterm -cjk_width {theme}", big(xterm(LATIN, theme, 0, ["-cjk_width"])), None


def big(command):
    """A window that two-space squares fit into."""
    return ["100x40" if word == "80x24" else word for word in command]


def wrapped(program, mux, folder):
    """The program as a script, so that every terminal takes it as one word."""
    inner = " ".join(program)
    if mux == "tmux":
        inner = f"tmux -f /dev/null -L saoma-{os.getpid()} new-session '{inner}'"
    elif mux == "screen":
        inner = f"screen -c /dev/null -U {inner}"
    script = folder / "run.sh"
    script.write_text(f"#!/bin/sh\nexec {inner}\n")
    script.chmod(0o755)
    return str(script)


def shot(path):
    subprocess.run(["import", "-window", "root", str(path)], check=True, stderr=subprocess.DEVNULL)
    return cv2.imread(str(path))


def views(image):
    """The four looks at a screen (straight, tilted, far, hard)."""
    high, wide = image.shape[:2]
    rng = np.random.default_rng(7)
    yield "straight", image

    def tilt(degrees, by):
        corners = np.float32([[0, 0], [wide, 0], [wide, high], [0, high]])
        lean = np.tan(np.radians(by))
        moved = corners + np.float32([[wide * lean * 0.12, high * 0.05], [-wide * 0.03, 0], [0, -high * 0.03], [wide * 0.02, high * 0.01]])
        warped = cv2.warpPerspective(image, cv2.getPerspectiveTransform(corners, moved), (wide, high), borderValue=(90, 90, 90))
        turn = cv2.getRotationMatrix2D((wide / 2, high / 2), degrees, 1)
        return cv2.warpAffine(warped, turn, (wide, high), borderValue=(90, 90, 90))

    def worn(picture, sigma, noise, quality):
        blurred = cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.float32)
        blurred += rng.normal(0, noise, blurred.shape)
        _, data = cv2.imencode(".jpg", np.clip(blurred, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(data, cv2.IMREAD_COLOR)

    yield "tilt", worn(tilt(-7, 20), 0.8, 6, 75)
    # Three modules' worth of cell pixels become about two pixels a module.
    yield "far", worn(cv2.resize(image, None, fx=0.36, fy=0.36, interpolation=cv2.INTER_AREA), 0.4, 4, 80)
    bands = 1 + 0.12 * np.sin(np.arange(high) / 2.3)[:, None, None]
    hard = np.clip(tilt(9, 18).astype(np.float32) * bands, 0, 255).astype(np.uint8)
    yield "hard", worn(cv2.resize(hard, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), 0.7, 8, 60)


WECHAT = cv2.wechat_qrcode_WeChatQRCode() if hasattr(cv2, "wechat_qrcode_WeChatQRCode") else None


def decoders():
    yield "zbar", lambda image: [found.data.decode("utf-8", "replace") for found in pyzbar.decode(Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)), symbols=[pyzbar.ZBarSymbol.QRCODE])]
    yield "zxing", lambda image: [found.text for found in zxingcpp.read_barcodes(image)]
    if WECHAT is not None:
        yield "wechat", lambda image: list(WECHAT.detectAndDecode(image)[0])


def judge(image):
    """For every view and decoder, whether it read a payload; and the set of what was read."""
    results, read = {}, set()
    for view, picture in views(image):
        for name, decode in decoders():
            found = [text for text in decode(picture) if text.startswith("http")]
            read.update(found)
            results[view, name] = any(text.startswith(PREFIX) for text in found)
    return results, read


def run(command, program, mux, keep, name, keys):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        environment = dict(os.environ, LANG="C.UTF-8", LC_ALL="C.UTF-8", TMUX_TMPDIR=temporary, XDG_CONFIG_HOME=temporary,
                           LIBGL_ALWAYS_SOFTWARE="1", QT_QPA_PLATFORM="xcb")
        environment.pop("TMUX", None)
        child = subprocess.Popen([*command, wrapped(program, mux, folder)], env=environment, cwd=temporary,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        best = ({}, set())
        try:
            deadline = time.monotonic() + 25
            sent = not keys
            picture = folder / "shot.png"
            while time.monotonic() < deadline:
                time.sleep(0.7)
                image = shot(picture)
                if not sent and image.std() > 8:
                    time.sleep(1.2)
                    for key in keys:
                        subprocess.run(["xdotool", "mousemove", "200", "200", "key", key], check=False, stderr=subprocess.DEVNULL)
                        time.sleep(1)
                    sent = True
                    continue
                results, read = judge(image)
                if sum(results.values()) >= sum(best[0].values()):
                    best = (results, read)
                if best[0] and any(ok for (view, _), ok in best[0].items() if view == "straight"):
                    # The whole screen stands: one more look, for the final frame.
                    time.sleep(0.5)
                    best = max(best, judge(shot(picture)), key=lambda found: sum(found[0].values()))
                    break
            if keep:
                (pathlib.Path(keep) / (name.replace(" ", "_") + ".png")).write_bytes(picture.read_bytes())
        finally:
            subprocess.run(["pkill", "-KILL", "-s", str(child.pid)], check=False)
            child.kill()
            child.wait()
            subprocess.run(["tmux", "-L", f"saoma-{os.getpid()}", "kill-server"], check=False, env=environment,
                           stderr=subprocess.DEVNULL)
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("saoma")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    parser.add_argument("--peer", action="store_true")
    options = parser.parse_args()
    program, keys = [str(pathlib.Path(options.saoma).resolve()), "demo", "--seed", "7"], ["r"]
    if options.peer:
        program, keys = ["sh", "-c", f"\"qrencode -t ANSIUTF8 {PREFIX}0123456789ab; sleep 60\""], []
    if options.keep:
        pathlib.Path(options.keep).mkdir(parents=True, exist_ok=True)
    groups, bad = {}, 0
    for group, name, command, mux in sessions():
        if options.only not in f"{group}: {name}":
            continue
        # Two-space squares want the whole screen.
        pressed = [*keys, "z"] if keys and group == "ambiguous wide" else keys
        drawn = [*program, "--qr-layout", "image"] if keys and group == "picture" else program
        results, read = run(command, drawn, mux, options.keep, name, pressed)
        good, every = sum(results.values()), len(results)
        sums = groups.setdefault(group, [0, 0])
        sums[0] += good
        sums[1] += every
        missed = ", ".join(f"{decoder}/{view}" for (view, decoder), ok in results.items() if not ok)
        wrong = len(read) > 1
        bad += wrong
        print(f"{group:15} {name:32} {good:2}/{every}  {'TWO PAYLOADS ' if wrong else ''}{missed}", flush=True)
    print()
    for group, (good, every) in groups.items():
        print(f"{group:15} {good:3}/{every}  {100 * good / max(every, 1):.1f} %")
    return 1 if bad or not groups else 0


sys.exit(main())
