
export { classify, prepared };

/* In Node: pictures as .ppm or .pgm (8 bits), which every image program writes. In a page:
   draw the picture on a canvas and give getImageData's data, width and height to classify. */

function readPnm(bytes) {
  const head = [];
  let at = 0;
  while (head.length < 4) {
    while (bytes[at] <= 32) at++;
    if (bytes[at] === 35) while (bytes[at] !== 10) at++;
    else {
      const start = at;
      while (bytes[at] > 32) at++;
      head.push(bytes.subarray(start, at).toString());
    }
  }
  const [magic, wide, high, most] = [head[0], ...head.slice(1).map(Number)];
  if (!["P5", "P6"].includes(magic) || most !== 255) throw new Error("not an 8-bit PGM or PPM");
  const channels = magic === "P6" ? 3 : 1;
  const rgba = new Uint8ClampedArray(wide * high * 4).fill(255);
  for (let i = 0; i < wide * high; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = bytes[at + 1 + i * channels + (c % channels)];
  }
  return [rgba, wide, high];
}

if (typeof process !== "undefined" && process.argv[1]?.endsWith("classify.mjs")) {
  const { readFileSync } = await import("node:fs");
  const runtime = await import("onnxruntime-web");
  const here = new URL(".", import.meta.url);
  const description = JSON.parse(readFileSync(new URL("model.json", here), "utf8"));
  runtime.env.wasm.numThreads = 1;
  const model = readFileSync(new URL("model.onnx", here));
  const session = await runtime.InferenceSession.create(model);
  for (const path of process.argv.slice(2)) {
    const picture = readPnm(readFileSync(path));
    const [best] = await classify(runtime, session, description, ...picture);
    console.log(`${path}: ${best.class} ${best.probability.toFixed(4)}`);
  }
}
