/// The page itself: no library, nothing from outside, light and dark, from telephones to desktops.
enum PageText {
    static let html = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Aim - srup-observer</title>
        <link rel="stylesheet" href="page.css">
        <main>
        <h1 id="advice" role="status" aria-live="polite">...</h1>
        <div id="view">
        <img id="picture" alt="What the camera sees; codes are made unreadable">
        <svg id="drawing" aria-hidden="true"><polygon id="outline" points=""/></svg>
        </div>
        <dl>
        <div><dt>Code</dt><dd id="kind">-</dd></div>
        <div><dt>Read</dt><dd id="read">-</dd></div>
        <div><dt>Module</dt><dd id="module">-</dd><dd class="wanted" id="module-wanted"></dd></div>
        <div><dt>Sharpness</dt><dd id="sharpness">-</dd><dd class="wanted" id="sharpness-wanted"></dd></div>
        <div><dt>Brightness</dt><dd id="brightness">-</dd><dd class="wanted" id="brightness-wanted"></dd></div>
        <div><dt>Contrast</dt><dd id="contrast">-</dd><dd class="wanted" id="contrast-wanted"></dd></div>
        <div><dt>Time left</dt><dd id="left">-</dd></div>
        </dl>
        <footer>
        <p id="camera"></p>
        <p>A code is never legible here: its place is blanked, and what is patterned as finely as a code is soft.</p>
        </footer>
        </main>
        <script src="page.js"></script>
        </html>

        """

    static let css = """
        :root {
          color-scheme: light dark;
          --back: #f6f6f4; --text: #1b1b1b; --quiet: #5c5c5c; --line: #d4d4d0;
          --good: #0a7a33; --bad: #a85b00; --none: #5c5c5c;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --back: #141414; --text: #eeeeee; --quiet: #a4a4a4; --line: #3a3a3a;
            --good: #3fd06f; --bad: #ffae42; --none: #a4a4a4;
          }
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.4 system-ui, sans-serif; }
        main { max-width: 60rem; margin: 0 auto; padding: .75rem; }
        h1 { margin: 0 0 .6rem; min-height: 2.4em; font-size: clamp(1.7rem, 7vw, 3rem); line-height: 1.2;
          text-align: center; display: grid; place-content: center; color: var(--none); }
        .good h1 { color: var(--good); }
        .bad h1 { color: var(--bad); }
        #view { position: relative; background: #000; border-radius: .5rem; overflow: hidden; aspect-ratio: 16 / 9; }
        #view img, #view svg { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
        #view img:not([src]) { visibility: hidden; }
        polygon { fill: none; stroke: #ffae42; stroke-width: 4; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
        .good polygon { stroke: #3fd06f; }
        dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .5rem; margin: .75rem 0; }
        dl div { border: 1px solid var(--line); border-radius: .5rem; padding: .4rem .6rem; }
        dt { color: var(--quiet); font-size: .85rem; }
        dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
        dd.wanted { color: var(--quiet); font-size: .85rem; }
        dl div.off { border-color: var(--bad); }
        .off dd:not(.wanted) { color: var(--bad); }
        @media (orientation: landscape) and (max-height: 36rem) {
          main { max-width: none; display: grid; grid-template-columns: minmax(0, 1fr) minmax(11rem, 34%); column-gap: .75rem;
            align-items: start; }
          h1 { grid-column: 1 / -1; min-height: 1.2em; margin-bottom: .4rem; font-size: clamp(1.3rem, 8vh, 2.2rem); }
          #view { max-height: 76vh; justify-self: center; width: 100%; }
          dl { margin: 0; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .3rem; }
          dl div { padding: .2rem .4rem; }
          dd { font-size: 1rem; }
          footer { grid-column: 1 / -1; }
        }
        p { color: var(--quiet); font-size: .9rem; margin: .4rem 0; overflow-wrap: anywhere; }

        """

    static let script = """
        "use strict";
        const at = (id) => document.getElementById(id);
        const name = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => (b % 36).toString(36)).join("");
        const interval = 200;
        let shown = null;

        function number(value, digits, unit) {
          return typeof value === "number" ? value.toFixed(digits) + unit : "-";
        }

        function time(seconds) { return Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0"); }

        function write(id, text) { if (at(id).textContent !== text) at(id).textContent = text; }

        function tell(text, mood) {
          write("advice", text);
          document.body.className = mood;
        }

        function draw(state) {
          tell(state.text || "waiting for the camera", state.advice === "good" ? "good" : state.seen ? "bad" : "");
          write("kind", state.seen ? state.kind + (state.read ? ", read" : ", not read") : "-");
          write("read", state.frames ? state.readOfLast + " of " + state.frames : "-");
          write("module", number(state.module, 1, " px"));
          write("sharpness", typeof state.sharpness === "number" ? Math.round(state.sharpness * 100) + " %" : "-");
          write("brightness", number(state.brightness, 0, " of 255"));
          write("contrast", number(state.contrast, 0, ""));
          write("left", typeof state.left === "number" ? time(state.left) : "-");
          for (const name of ["module", "sharpness", "brightness", "contrast"]) {
            write(name + "-wanted", (state.wanted || {})[name] || "");
            at(name).parentElement.className = (state.off || []).includes(name) ? "off" : "";
          }
          write("camera", state.camera || "");
          const corners = state.corners || [];
          at("outline").setAttribute("points", corners.map((c) => c.join(",")).join(" "));
          if (state.width && state.height) {
            at("drawing").setAttribute("viewBox", "0 0 " + state.width + " " + state.height);
            at("view").style.aspectRatio = state.width + " / " + state.height;
          }
        }

        function show(blob) {
          return new Promise((done) => {
            const url = URL.createObjectURL(blob);
            const picture = at("picture");
            picture.onload = picture.onerror = () => {
              if (shown) URL.revokeObjectURL(shown);
              shown = url;
              done();
            };
            picture.src = url;
          });
        }

        async function look() {
          const begin = performance.now();
          try {
            const response = await fetch("frame?v=" + name, { cache: "no-store", signal: AbortSignal.timeout(5000) });
            if (response.ok) {
              const state = JSON.parse(response.headers.get("Aim-State") || "{}");
              const blob = await response.blob();
              if (blob.size) await show(blob); else at("picture").removeAttribute("src");
              draw(state);
            } else {
              tell(await response.text(), "");
            }
          } catch (error) {
            tell("no connection: has the command ended?", "");
          }
          const rest = document.hidden ? 2000 : interval;
          setTimeout(look, Math.max(20, rest - (performance.now() - begin)));
        }
        look();

        """
}
