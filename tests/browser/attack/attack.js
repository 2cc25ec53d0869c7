// A page of one app that tries to read and to change another app and the portal; what came of it stands in #found.
const portal = location.origin.replace("//wiki.", "//");
const other = location.origin.replace("//wiki.", "//board.");
const domain = new URL(portal).hostname;
const tried = {};

async function note(name, call) {
  try {
    tried[name] = await call();
  } catch (error) {
    tried[name] = "refused: " + error.name;
  }
}

async function read(url, options) {
  const answer = await fetch(url, { credentials: "include", ...options });
  return answer.status + " " + (await answer.text()).slice(0, 60);
}

const send = (url) => fetch(url, { method: "POST", mode: "no-cors", credentials: "include" }).then((answer) => answer.type);

const look = (url) =>
  new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    frame.onload = () => {
      try {
        done(String(frame.contentDocument && frame.contentDocument.body.innerText));
      } catch (error) {
        done("refused: " + error.name);
      }
    };
    document.body.append(frame);
  });

const forged = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
(async () => {
  await note("read the portal", () => read(portal + "/api/session"));
  await note("read the other app", () => read(other + "/seen"));
  await note("change the portal", () => read(portal + "/api/tokens", forged));
  await note("post to the other app", () => send(other + "/post"));
  await note("post to the portal", () => send(portal + "/auth/logout"));
  await note("look into the other app", () => look(other + "/"));
  for (const name of ["__Host-openlakes_session", "__Host-openlakes_app", "__Host-openlakes_enter", "planted"])
    document.cookie = name + "=forged; Path=/; Secure; Domain=" + domain;
  tried.cookies = document.cookie;
  document.getElementById("found").textContent = JSON.stringify(tried);
})();
