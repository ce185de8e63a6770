import HTTPTypes
import Hummingbird
import SRUP

/// The style sheet, the script and the icon, each under an address that changes when it does.
enum Assets {
    /// Changes with any of them.
    static let version: String = {
        // FNV-1a: it only tells versions apart.
        let hash = [style, script, phone, icon].joined().utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
        return String(hash, radix: 36)
    }()

    static let icon = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#0b4f6c"/>\
        <circle cx="16" cy="16" r="9" fill="none" stroke="#fff" stroke-width="3"/><circle cx="16" cy="16" r="3.5" fill="#e69f00"/></svg>
        """

    static let style = """
        :root {
          --ink: #14202b; --faint: #4b5a67; --paper: #ffffff; --raised: #f3f6f8; --line: #b9c4cd; --link: #0b5a8a;
          --button: #0b6a3f; --button-ink: #ffffff; --danger: #a4161a; --focus: #ffbf00; --focus-ink: #14202b;
          --good: #e3f4ea; --good-line: #0b6a3f; --bad: #fbe6e6; --bad-line: #a4161a; --warn: #fff3d6; --warn-line: #8a5a00;
          --top: #0b3a53; --top-ink: #ffffff;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ink: #e8eef2; --faint: #a9b7c2; --paper: #10171d; --raised: #1a242d; --line: #44525e; --link: #7cc4f0;
            --button: #2f9e68; --button-ink: #06130c; --danger: #ff8a8a; --focus: #ffbf00; --focus-ink: #14202b;
            --good: #12301f; --good-line: #2f9e68; --bad: #3a1719; --bad-line: #ff8a8a; --warn: #33280e; --warn-line: #e0b04a;
            --top: #0a2636; --top-ink: #e8eef2;
          }
        }
        * { box-sizing: border-box; }
        html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; color: var(--ink); background: var(--paper); }
        body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; }
        main { flex: 1; padding-top: 1.5rem; padding-bottom: 3rem; width: 100%; }
        main:focus { outline: none; }
        .wide { max-width: 78rem; margin: 0 auto; padding-left: 1rem; padding-right: 1rem; width: 100%; }
        .narrow { max-width: 24rem; }
        h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .75rem; overflow-wrap: anywhere; }
        h2 { font-size: 1.25rem; line-height: 1.3; margin: 2rem 0 .5rem; }
        p { margin: 0 0 .75rem; }
        .lead { font-size: 1.1rem; color: var(--faint); max-width: 46rem; }
        .hint { color: var(--faint); font-size: .95rem; }
        a { color: var(--link); text-underline-offset: .15em; }
        a:hover { text-decoration-thickness: 2px; }
        code, .id, .hex { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
        .hex { overflow-wrap: anywhere; }
        :focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; box-shadow: 0 0 0 2px var(--focus-ink); border-radius: 3px; }
        .skip { position: absolute; left: -9999px; }
        .skip:focus { left: 1rem; top: .5rem; background: var(--focus); color: var(--focus-ink); padding: .5rem 1rem; z-index: 2; }
        .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; border: 0; padding: 0; margin: 0; }
        .top { background: var(--top); color: var(--top-ink); }
        .top .wide { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.25rem; padding-top: .6rem; padding-bottom: .6rem; }
        .top a { color: var(--top-ink); }
        .brand { font-weight: 700; font-size: 1.1rem; text-decoration: none; }
        .top nav { flex: 1; }
        .top ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem .25rem; }
        .top li a { display: inline-block; padding: .45rem .6rem; text-decoration: none; border-radius: 4px; }
        .top li a:hover { text-decoration: underline; }
        .top li a[aria-current] { background: var(--paper); color: var(--ink); font-weight: 600; }
        .count { display: inline-block; min-width: 1.4em; padding: 0 .35em; text-align: center; border-radius: 1em; background: #ffbf00; color: #14202b; font-weight: 700; }
        .who { display: flex; gap: .75rem; align-items: center; margin: 0; }
        button { font: inherit; font-weight: 600; padding: .55rem 1rem; min-height: 2.75rem; border: 2px solid transparent; border-radius: 5px; background: var(--button); color: var(--button-ink); cursor: pointer; }
        button:hover { filter: brightness(1.1); }
        button.second { background: var(--paper); color: var(--ink); border-color: var(--line); }
        button.danger { background: var(--paper); color: var(--danger); border-color: var(--danger); }
        button.plain { background: none; color: inherit; border: 1px solid currentColor; padding: .3rem .7rem; min-height: 2.2rem; font-weight: 400; }
        input, select { font: inherit; color: var(--ink); background: var(--paper); border: 2px solid var(--faint); border-radius: 4px; padding: .45rem .55rem; min-height: 2.75rem; max-width: 100%; }
        input[type=checkbox] { width: 1.5rem; height: 1.5rem; min-height: 0; vertical-align: middle; margin: 0 .35rem 0 0; accent-color: var(--button); }
        label { font-weight: 600; }
        .narrow input, .search input, .columns input:not([type=checkbox]) { display: block; width: 100%; }
        .search, .row { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: flex-end; margin-bottom: 1rem; }
        .search p, .row p { margin: 0; min-width: 0; max-width: 100%; }
        .row label { display: block; }
        #note, #data-name, #data-value { width: 26rem; }
        td .row { min-width: 18rem; margin: 0; gap: .4rem; align-items: center; }
        .search select { display: block; }
        .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1.5rem; align-items: start; }
        .box { border: 2px solid var(--line); border-left-width: 8px; padding: .75rem 1rem; margin: 0 0 1.25rem; border-radius: 4px; background: var(--raised); }
        .box > :last-child { margin-bottom: 0; } .box h2 { margin-top: 0; }
        .good { background: var(--good); border-color: var(--good-line); }
        .bad.box { background: var(--bad); border-color: var(--bad-line); }
        .warn { background: var(--warn); border-color: var(--warn-line); }
        .link { background: var(--warn); border: 2px solid var(--warn-line); padding: .4rem .75rem; border-radius: 4px; }
        .link[hidden] { display: none; }
        .card { border: 1px solid var(--line); border-radius: 8px; background: var(--raised); padding: 1rem 1.25rem; margin: 0 0 1rem; }
        .card h2 { margin: 0 0 .5rem; } .card .type { font-weight: 400; color: var(--faint); overflow-wrap: anywhere; }
        .gone { opacity: .65; }
        .facts { display: flex; flex-wrap: wrap; gap: .25rem 2rem; margin: 0 0 1rem; }
        .facts div { min-width: 0; } .facts dt { color: var(--faint); font-size: .9rem; } .facts dd { margin: 0; overflow-wrap: anywhere; }
        .wide-facts { flex-direction: column; margin-top: 1.5rem; } .wide-facts div { display: flex; gap: 1rem; } .wide-facts dt { min-width: 6rem; font-weight: 600; color: inherit; font-size: 1rem; }
        .words { border: 0; padding: 0; margin: 0 0 .75rem; display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; align-items: flex-end; }
        .words legend { font-weight: 600; padding: 0; margin-bottom: .25rem; }
        .words p { margin: 0; } .words label { display: block; } .words input { font-family: ui-monospace, "DejaVu Sans Mono", monospace; width: 9rem; }
        .buttons { display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: center; margin: 0; }
        .choose { font-weight: 400; display: inline-flex; align-items: center; min-height: 2.75rem; }
        .bulk { display: flex; flex-wrap: wrap; gap: .75rem; padding: .75rem 0; }
        progress { width: 16rem; max-width: 100%; height: 1.25rem; accent-color: var(--button); vertical-align: middle; }
        textarea { font: .95rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; color: var(--ink); background: var(--paper); border: 2px solid var(--faint); border-radius: 4px; padding: .45rem .55rem; width: 44rem; max-width: 100%; }
        .empty { color: var(--faint); font-style: italic; padding: 1rem 0; }
        .forms { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1.5rem; margin-bottom: 1.5rem; }
        .forms h2 { margin-top: 0; } .forms svg { width: 100%; max-width: 18rem; height: auto; display: block; } .full { grid-column: 1 / -1; }
        .value { font-size: 1.25rem; font-family: ui-monospace, "DejaVu Sans Mono", monospace; margin: 0; }
        ol.value { padding-left: 2.75rem; font-size: 1.1rem; }
        .invitation svg { width: 100%; max-width: 20rem; height: auto; display: block; background: #ffffff; }
        .secret { user-select: all; padding: 1rem; background: var(--raised); border: 1px solid var(--line); border-radius: 4px; margin-bottom: 1rem; }
        .scroll { position: relative; overflow-x: auto; margin-bottom: 1rem; }
        table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); }
        td { overflow-wrap: anywhere; min-width: 5rem; } thead th { color: var(--faint); font-size: .9rem; white-space: nowrap; } tbody th { font-weight: 600; }
        .state { display: inline-block; padding: .05rem .55rem; border-radius: 1em; border: 1px solid var(--line); white-space: nowrap; }
        .state.yes { background: var(--good); border-color: var(--good-line); } .state.no, .state.bad { background: var(--bad); border-color: var(--bad-line); } .state.open { background: var(--warn); border-color: var(--warn-line); }
        .pages { display: inline-block; margin: 0 1.5rem 0 0; } .changed { animation: changed 3s; } @keyframes changed { from { background: var(--warn); } }
        .eye { max-width: 32rem; } .eye form { margin-top: 1.25rem; } .eye .card { padding-bottom: .25rem; } .eye h3 { margin: 0 0 .25rem; font-size: 1.1rem; } .link:empty { border: 0; padding: 0; margin: 0; } .eye video, .eye img { width: 100%; background: #000; border-radius: 8px; }
        footer { border-top: 1px solid var(--line); color: var(--faint); font-size: .9rem; } footer p { margin: .75rem 0; }
        @media (max-width: 40rem) {
          h1 { font-size: 1.5rem; } .top nav { order: 3; flex-basis: 100%; } .who { margin-left: auto; }
          .words input { width: 7rem; }
          .buttons button { flex: 1 1 8rem; }
        }
        @media (prefers-reduced-motion: reduce) { .changed { animation: none; } }
        @media (forced-colors: active) { .state, .card, button { border: 1px solid; } }
        """

    /// Keeps what is shown as it is on the server: asks for the page again when it is told that something has changed, after
    /// a lost connection and when the page comes back into view, and puts in the rows that differ.
    static let script = """
        "use strict";
        (() => {
          const subjects = (document.body.dataset.live || "").split(" ").filter(Boolean);
          const line = document.getElementById("link");
          const problem = document.getElementById("problem");
          if (problem) problem.focus();
          if (!subjects.length || !window.EventSource) return;
          let source = null, timer = 0, isBusy = false, isStale = false, hasRun = false;

          const say = (words) => { line.textContent = words; line.hidden = !words; };
          // What somebody is typing into is left alone until it has been sent or emptied.
          const isUsed = (row) => row.contains(document.activeElement) && document.activeElement !== document.body
            || [...row.querySelectorAll("input:not([type=hidden])")].some((input) =>
              input.type === "checkbox" ? input.checked : input.value !== input.defaultValue);
          // A time that passes is no change.
          const settled = (node) => {
            const copy = node.cloneNode(true);
            copy.classList.remove("changed", "gone");
            if (!copy.classList.length) copy.removeAttribute("class");
            copy.querySelectorAll("time").forEach((time) => { time.textContent = ""; time.removeAttribute("datetime"); });
            return copy.outerHTML;
          };
          const same = (left, right) => {
            if (settled(left) !== settled(right)) return false;
            const times = right.querySelectorAll("time");
            left.querySelectorAll("time").forEach((time, index) => { time.replaceWith(times[index].cloneNode(true)); });
            return true;
          };

          const list = (now, next) => {
            const wanted = [...next.children].filter((row) => row.dataset.row);
            const byName = new Map([...now.children].map((row) => [row.dataset.row, row]));
            const kept = new Set();
            let before = null;
            for (const row of wanted) {
              kept.add(row.dataset.row);
              const old = byName.get(row.dataset.row);
              let put = old;
              if (!old) { put = row; if (hasRun) row.classList.add("changed"); }
              else if (!same(old, row) && !isUsed(old)) { put = row; row.classList.add("changed"); old.replaceWith(row); }
              const place = before ? before.nextSibling : now.firstChild;
              if (put !== place && (!old || !isUsed(put))) now.insertBefore(put, place);
              before = put;
            }
            for (const [name, row] of byName) {
              if (kept.has(name) || !name) continue;
              if (!isUsed(row)) row.remove();
              else if (!row.classList.contains("gone")) {
                row.classList.add("gone");
                const note = document.createElement("p");
                note.className = "box warn"; note.setAttribute("role", "status");
                note.textContent = "This has changed: the device shows something else by now, or does not wait any more.";
                row.prepend(note);
                row.querySelectorAll("input, button").forEach((field) => { field.disabled = true; });
              }
            }
          };

          const refresh = async () => {
            if (isBusy) { isStale = true; return; }
            isBusy = true; isStale = false;
            try {
              const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin", redirect: "follow" });
              if (answer.status === 401) { say("You have been signed out. Load the page again to sign in."); stop(); return; }
              if (!answer.ok && answer.status !== 422) throw new Error(answer.status);
              const page = new DOMParser().parseFromString(await answer.text(), "text/html");
              for (const next of page.querySelectorAll("[data-rows]")) {
                const now = document.getElementById(next.id);
                if (now) list(now, next);
              }
              for (const next of page.querySelectorAll("[data-row][id]")) {
                if (next.closest("[data-rows]")) continue;
                const now = document.getElementById(next.id);
                if (now && !same(now, next)) now.replaceWith(next);
                else if (!now && next.id === "count") { const link = document.querySelector('nav a[href="/waiting"]'); if (link) link.append(" ", next); }
              }
              for (const id of ["count", "bulk"]) {
                const now = document.getElementById(id);
                if (now && !page.getElementById(id)) now.remove();
              }
              hasRun = true; say("");
            } catch { say("The server does not answer. What is shown may be old; trying again."); later(3000); }
            finally { isBusy = false; if (isStale) later(); }
          };
          const later = (wait) => { clearTimeout(timer); timer = setTimeout(refresh, wait || 200); };

          const start = () => {
            if (source || document.hidden) return;
            source = new EventSource("/events?subjects=" + subjects.join(","));
            source.onopen = () => later(1);
            source.onmessage = () => later();
            source.addEventListener("change", () => later());
            source.onerror = () => {
              say("The connection is lost. What is shown may be old; trying again.");
              if (source && source.readyState === EventSource.CLOSED) { stop(); setTimeout(start, 4000); later(1000); }
            };
          };
          const stop = () => { if (source) { source.close(); source = null; } };
          // A hidden page holds no connection: a browser has six for a server.
          document.addEventListener("visibilitychange", () => document.hidden ? stop() : start());
          window.addEventListener("pageshow", (event) => { if (event.persisted) { stop(); start(); later(1); } });
          document.querySelectorAll("[data-clear]").forEach((field) => { field.value = ""; });
          start();
        })();
        """
}

extension Console {
    func addAssets(to router: Router<ConsoleContext>) {
        for (name, type, text) in [
            ("style.css", "text/css; charset=utf-8", Assets.style),
            ("live.js", "text/javascript; charset=utf-8", Assets.script),
            ("phone.js", "text/javascript; charset=utf-8", Assets.phone),
            ("icon.svg", "image/svg+xml", Assets.icon),
        ] {
            router.get("/assets/\(name)") { _, _ in
                Response(
                    status: .ok,
                    headers: [.contentType: type, .cacheControl: "public, max-age=31536000, immutable"],
                    body: .init(byteBuffer: ByteBuffer(string: text)))
            }
        }
    }
}
