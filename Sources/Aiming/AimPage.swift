/// The page: asks for state and picture five times a second and draws the outline over it.
enum AimPage {
    static let html = """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>srup-observer aim</title>
        <style>
        body { margin: 0; font: 18px sans-serif; background: #111; color: #eee; text-align: center }
        #view { position: relative; max-width: 960px; margin: auto }
        img, svg { display: block; width: 100% }
        svg { position: absolute; inset: 0; height: 100% }
        polygon { fill: none; stroke-width: 0.6%; stroke: #fb0 }
        polygon.read { stroke: #3d5 }
        #advice { font-size: 2em; margin: 0.4em }
        small { color: #aaa }
        </style></head><body>
        <div id="view"><img id="picture" alt="what the camera sees, coarsely"><svg id="over"><polygon id="code"/></svg></div>
        <div id="advice">…</div><div id="numbers"></div>
        <p><small>Coarse on purpose: what the code says is shown to nobody.</small></p>
        <script>
        const id = name => document.getElementById(name);
        async function step() {
            try {
                const answer = await fetch("state.json");
                if (!answer.ok) throw answer.status;
                const state = await answer.json();
                const picture = await (await fetch("picture.jpg")).blob();
                const old = id("picture").src;
                id("picture").src = URL.createObjectURL(picture);
                if (old) URL.revokeObjectURL(old);
                id("over").setAttribute("viewBox", `0 0 ${state.width} ${state.height}`);
                id("code").setAttribute("points", state.corners.map(c => c.join(",")).join(" "));
                id("code").setAttribute("class", state.read ? "read" : "");
                id("advice").textContent = state.text;
                const number = (name, value, unit) => value === undefined ? "" : `${name} ${value}${unit} · `;
                id("numbers").textContent = number("module", state.module, " px") +
                    number("sharpness", state.sharpness, "") + `brightness ${state.brightness} · contrast ${state.contrast}`;
            } catch (why) {
                id("advice").textContent = why === 503 ? "too many are looking" : why === 404 ? "waiting for a picture" : "srup-observer aim has ended";
                await new Promise(done => setTimeout(done, 1800));
            }
            setTimeout(step, 200);
        }
        step();
        </script></body></html>
        """
}
