extension Assets {
    /// What a phone's camera sees goes to the server, which reads the codes in it; here nothing is read but for knowing when a
    /// picture is worth sending. The page works without: by photos.
    static let phone = """
        "use strict";
        (() => {
          const page = document.getElementById("phone");
          if (!page) return;
          const token = page.dataset.token;
          const part = (id) => document.getElementById(id);
          const [said, video, start, stop, tap] = ["said", "video", "start", "stop", "tap"].map(part);
          const pause = (time) => new Promise((done) => setTimeout(done, time));
          // Four pictures a second; with a detector of the browser's own at once when there is a code, and else one a second.
          const [every, atLeast, look] = [250, 1000, 100];
          let stream = null, words = "", until = 0, isGone = false;

          const say = (text, isLasting) => {
            if (text === words || (Date.now() < until && !isLasting)) return;
            words = text; until = isLasting ? Date.now() + 6000 : 0;
            said.textContent = text;
          };
          const looksAt = () => document.querySelectorAll("#rows [data-row^='look-']").length;
          const gone = () => { if (!isGone) { isGone = true; location.assign("/phone"); } };

          const post = async (path, body, type) => {
            const answer = await fetch(path, {
              method: "POST", body, credentials: "same-origin", redirect: "error",
              headers: { "Content-Type": type, "X-Form-Token": token },
            });
            if ([401, 403, 409].includes(answer.status)) { gone(); return null; }
            if (answer.status === 429) { await pause(1000 * Math.min(10, Number(answer.headers.get("Retry-After")) || 1)); return null; }
            if (!answer.ok) throw new Error(answer.status);
            return answer.json();
          };
          const show = (told) => {
            if (told && told.words) say(told.words, told.kind === "valid" || told.kind === "invalid");
          };

          // Without a sign of life the server takes the phone for closed.
          setInterval(() => { post("/phone/beat", "", "text/plain").catch(() => {}); }, 10000);

          // The time that is left goes by without asking the server.
          const began = new WeakMap();
          setInterval(() => {
            for (const time of document.querySelectorAll("#rows time")) {
              if (!began.has(time)) {
                const [since, left] = (time.textContent.match(/\\d+/g) || [0, 0]).map(Number);
                began.set(time, { since, left, at: Date.now() });
              }
              const { since, left, at } = began.get(time);
              const passed = Math.round((Date.now() - at) / 1000);
              time.textContent = (since + passed) + " s ago, " + Math.max(0, left - passed) + " s left";
            }
          }, 1000);

          const canvas = document.createElement("canvas");
          const picture = () => new Promise((done) => {
            const scale = Math.min(1, 1280 / Math.max(video.videoWidth, video.videoHeight, 1));
            canvas.width = Math.round(video.videoWidth * scale); canvas.height = Math.round(video.videoHeight * scale);
            if (!canvas.width || !canvas.height) { done(null); return; }
            canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
            canvas.toBlob(done, "image/jpeg", 0.85);
          });
          const detector = () => {
            try { return "BarcodeDetector" in window ? new window.BarcodeDetector() : null; } catch { return null; }
          };
          const seesCode = async (eye) => {
            if (!eye) return false;
            try { return (await eye.detect(video)).length > 0; } catch { return false; }
          };
          const run = async () => {
            const eye = detector();
            const mine = stream;
            let last = 0;
            while (stream && stream === mine) {
              if (!looksAt() || document.hidden) { await pause(every); continue; }
              const age = Date.now() - last;
              if (age < every || (eye && age < atLeast && !await seesCode(eye))) { await pause(eye ? look : every - Math.min(age, every - 10)); continue; }
              last = Date.now();
              try {
                const blob = await picture();
                if (blob && stream === mine) show(await post("/phone/frame", blob, "image/jpeg"));
              } catch { say("The server does not answer; trying again."); await pause(1000); }
            }
          };

          if (navigator.mediaDevices && navigator.mediaDevices.getUserMedia) {
            part("camera").hidden = false;
            start.addEventListener("click", async () => {
              try {
                stream = await navigator.mediaDevices.getUserMedia({
                  audio: false, video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 960 } },
                });
              } catch (error) {
                say("The camera cannot be used (" + error.name + "): take a photo instead.", true);
                return;
              }
              video.srcObject = stream; video.hidden = false; start.hidden = true; stop.hidden = false;
              try { await video.play(); } catch { /* It plays by itself. */ }
              if (navigator.wakeLock) navigator.wakeLock.request("screen").catch(() => {});
              say("The camera looks. Hold it so that the device's code fills a third of the picture.");
              stop.focus();
              run();
            });
            stop.addEventListener("click", () => {
              for (const track of stream ? stream.getTracks() : []) track.stop();
              stream = null; video.srcObject = null; video.hidden = true; start.hidden = false; stop.hidden = true;
              say("The camera is off.");
              start.focus();
            });
          }
          if ("NDEFReader" in window) {
            tap.hidden = false;
            tap.addEventListener("click", async () => {
              try {
                const reader = new window.NDEFReader();
                await reader.scan();
                say("Hold the phone to the device's tag.", true);
                reader.onreading = async (event) => {
                  for (const record of event.message.records) {
                    if (record.recordType !== "text") continue;
                    const text = new TextDecoder(record.encoding || "utf-8").decode(record.data);
                    try { show(await post("/phone/tap", text.slice(0, 256), "text/plain")); } catch { say("The server does not answer."); }
                  }
                };
              } catch (error) { say("Tags cannot be read (" + error.name + ").", true); }
            });
          }
        })();
        """
}
