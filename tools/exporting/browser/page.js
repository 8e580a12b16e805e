
/* The page: pictures from a file, a drop, the clipboard or the camera, one after the other. */
const SHOWN = 5; // classes
// Above so many pixels a picture is made smaller by the browser before it is read.
const MOST_PIXELS = 24_000_000;
const description = JSON.parse(document.getElementById("description").textContent);
const at = (id) => document.getElementById(id);
const KEPT = 300; // results on the page

async function unpacked(id) {
  const text = atob(at(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function opened() {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = (await unpacked("wasm")).buffer;
  const glue = new Blob([atob(at("glue").textContent)], { type: "text/javascript" });
  ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(glue) };
  const model = await unpacked("model");
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  for (const id of ["wasm", "model", "glue"]) at(id).remove();
  return session;
}

const ready = opened();
ready.then(
  () => say("Ready."),
  (error) => say(`This browser cannot run the model: ${error.message ?? error}`, true),
);

function say(text, wrong = false) {
  at("status").textContent = text;
  at("status").className = wrong ? "error" : "";
}

/* The picture's own pixels: upright, without a colour profile's changes. */
async function decoded(source) {
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  if (source instanceof Blob) options.imageOrientation = "from-image";
  const bitmap = await createImageBitmap(source, options);
  const shrink = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * shrink));
  canvas.height = Math.max(1, Math.round(bitmap.height * shrink));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

async function answered(source, name, picture) {
  const row = document.createElement("li");
  const text = document.createElement("div");
  row.append(picture, text);
  try {
    const session = await ready;
    const { data, width, height } = await decoded(source);
    const found = await classify(ort, session, description, data, width, height);
    row.dataset.class = found[0].class;
    row.dataset.probability = found[0].probability;
    text.innerHTML = '<h2></h2><div class="file"></div><ul class="bars"></ul>';
    text.querySelector("h2").textContent = `${found[0].class}, ${percent(found[0].probability)}`;
    text.querySelector(".bars").append(...found.slice(0, SHOWN).map(bar));
  } catch (error) {
    text.innerHTML = '<h2 class="refused">cannot be read as a picture</h2><div class="file"></div>';
    row.dataset.error = error.message ?? String(error);
  }
  row.dataset.name = name;
  text.querySelector(".file").textContent = name;
  at("results").prepend(row);
  while (at("results").children.length > KEPT) at("results").lastChild.remove();
}

function bar({ class: name, probability }) {
  const line = document.createElement("li");
  line.innerHTML = "<span></span><div><i></i></div><b></b>";
  line.querySelector("span").textContent = name;
  line.querySelector("span").title = name;
  line.querySelector("i").style.width = `${100 * probability}%`;
  line.querySelector("b").textContent = percent(probability);
  return line;
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

let work = Promise.resolve();
function take(files) {
  const pictures = [...files];
  work = work.then(async () => {
    for (const [i, file] of pictures.entries()) {
      say(pictures.length > 1 ? `${i + 1} of ${pictures.length} …` : "…");
      const picture = new Image();
      picture.alt = "";
      picture.src = URL.createObjectURL(file);
      await answered(file, file.name || "pasted picture", picture);
    }
    say(`Ready. ${at("results").children.length} named.`);
  });
}

at("files").addEventListener("change", (event) => {
  take(event.target.files);
  event.target.value = "";
});
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").className = "over";
  });
}
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) at("drop").className = "";
});
addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").className = "";
  take(event.dataTransfer.files);
});
addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) take(event.clipboardData.files);
  else say("There is no picture in the clipboard.", true);
});

let stream = null;
function cameraOff() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  at("live").hidden = true;
}
at("camera").addEventListener("click", async () => {
  try {
    const wanted = { video: { facingMode: "environment" } };
    stream = await navigator.mediaDevices.getUserMedia(wanted);
    at("video").srcObject = stream;
    at("live").hidden = false;
    at("take").focus();
  } catch (error) {
    say(`No camera: ${error?.message ?? "this browser gives none to a file"}`, true);
  }
});
at("stop").addEventListener("click", () => {
  cameraOff();
  at("camera").focus();
});
at("take").addEventListener("click", () => {
  const { videoWidth, videoHeight } = at("video");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [videoWidth, videoHeight];
  canvas.getContext("2d").drawImage(at("video"), 0, 0);
  canvas.toBlob((blob) => take([new File([blob], "camera.png", { type: "image/png" })]));
});
