// Plays a film, a preview and a model in a headless Chromium, as a marketplace's visitor would, and says in JSON what was
// seen: `node play.mjs FOLDER` with film.mp4, preview.webp and piece.glb in it.
import { accessSync, constants, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { delimiter, extname, join } from "node:path";

import { chromium } from "playwright-core";

const folder = process.argv[2];
const three = new URL("node_modules/three/", import.meta.url);
const types = {
  ".html": "text/html", ".js": "text/javascript", ".mp4": "video/mp4", ".webp": "image/webp", ".glb": "model/gltf-binary",
};
const page_ = `<!doctype html><script type="importmap">{"imports": {"three": "/three/build/three.module.js", "three/addons/": "/three/examples/jsm/"}}</script>`;

const server = createServer((request, response) => {
  const name = request.url;
  let bytes;
  if (name === "/") bytes = page_;
  else if (["/film.mp4", "/preview.webp", "/piece.glb"].includes(name)) bytes = readFileSync(join(folder, name));
  else if (/^\/three\/[a-zA-Z/.]+\.js$/.test(name) && !name.includes("..")) bytes = readFileSync(new URL(`.${name.slice(6)}`, three));
  else return response.writeHead(404).end();
  const kind = types[name === "/" ? ".html" : extname(name)];
  // Players ask for parts of a film.
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  if (!range) return response.writeHead(200, { "content-type": kind, "accept-ranges": "bytes" }).end(bytes);
  const [from, to] = [Number(range[1]), range[2] ? Number(range[2]) : bytes.length - 1];
  response.writeHead(206, { "content-type": kind, "content-range": `bytes ${from}-${to}/${bytes.length}` }).end(bytes.subarray(from, to + 1));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

const flags = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--autoplay-policy=no-user-gesture-required",
];
const browser = await chromium.launch({ executablePath: onPath("chromium"), args: flags });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(120000);
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const film = await page.evaluate(async () => {
    const video = Object.assign(document.createElement("video"), { src: "/film.mp4", muted: true });
    await new Promise((loaded, failed) => ((video.onloadeddata = loaded), (video.onerror = () => failed(video.error.message))));
    const [width, height] = [video.videoWidth, video.videoHeight];
    const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    const seen = () => {
      canvas.drawImage(video, 0, 0);
      // The mean colour of each of four by four fields.
      const pixels = canvas.getImageData(0, 0, width, height).data;
      const fields = Array.from({ length: 48 }, () => 0);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const field = 3 * (4 * Math.floor((4 * y) / height) + Math.floor((4 * x) / width));
          for (let c = 0; c < 3; c++) fields[field + c] += (16 * pixels[4 * (y * width + x) + c]) / (width * height);
        }
      }
      return fields;
    };
    const at = async (time) => {
      const before = seen();
      const sought = new Promise((done) => (video.onseeked = done));
      video.currentTime = time;
      await sought;
      // A busy browser says so before the frame is there to be drawn.
      for (let wait = 0; wait < 40; wait++) {
        const now = seen();
        if (now.some((code, field) => Math.abs(code - before[field]) > 0.5)) return now;
        await new Promise((later) => setTimeout(later, 50));
      }
      return seen();
    };
    const moments = [await at(0.001), await at(video.duration * 0.999)];
    // It plays by itself, too.
    video.currentTime = 0;
    await video.play();
    await new Promise((ended) => (video.onended = ended));
    return { width, height, duration: video.duration, moments, played: video.currentTime };
  });
  const preview = await page.evaluate(async () => {
    const data = await (await fetch("/preview.webp")).arrayBuffer();
    const decoder = new ImageDecoder({ data, type: "image/webp" });
    await decoder.tracks.ready;
    const { frameCount, repetitionCount } = decoder.tracks.selectedTrack;
    let microseconds = 0;
    for (let i = 0; i < frameCount; i++) microseconds += (await decoder.decode({ frameIndex: i })).image.duration;
    return { frames: frameCount, forever: repetitionCount === Infinity, seconds: microseconds / 1e6 };
  });
  const model = await page.evaluate(async () => {
    const THREE = await import("three");
    const { GLTFLoader } = await import("three/addons/loaders/GLTFLoader.js");
    const gltf = await new GLTFLoader().loadAsync("/piece.glb");
    const mixer = new THREE.AnimationMixer(gltf.scene);
    mixer.clipAction(gltf.animations[0]).play();
    const scene = new THREE.Scene().add(gltf.scene).add(new THREE.HemisphereLight(0xffffff, 0x888888, 3));
    scene.background = new THREE.Color(0);
    const renderer = new THREE.WebGLRenderer({ preserveDrawingBuffer: true });
    renderer.setSize(160, 160);
    const target = new THREE.WebGLRenderTarget(160, 160);
    const box = new THREE.Box3().setFromObject(gltf.scene);
    const [middle, size] = [box.getCenter(new THREE.Vector3()), box.getSize(new THREE.Vector3()).length()];
    const camera = new THREE.PerspectiveCamera(45, 1, size / 100, size * 10);
    camera.position.copy(middle).add(new THREE.Vector3(0.3, 0.5, 1).multiplyScalar(size));
    camera.lookAt(middle);
    const draw = (time) => {
      mixer.setTime(time);
      renderer.setRenderTarget(target);
      renderer.render(scene, camera);
      const pixels = new Uint8Array(4 * 160 * 160);
      renderer.readRenderTargetPixels(target, 0, 0, 160, 160, pixels);
      return pixels;
    };
    const seconds = gltf.animations[0].duration;
    const [first, last] = [draw(0), draw(seconds * 0.9)];
    let [covered, moved] = [0, 0];
    for (let i = 0; i < first.length; i += 4) {
      covered += first[i] + first[i + 1] + first[i + 2] > 0;
      moved += Math.abs(first[i] - last[i]) + Math.abs(first[i + 1] - last[i + 1]) > 8;
    }
    return { seconds, covered: covered / 25600, moved: moved / 25600 };
  });
  console.log(JSON.stringify({ film, preview, model }));
} finally {
  await browser.close();
  server.close();
}

function onPath(program) {
  for (const place of process.env.PATH.split(delimiter)) {
    try {
      accessSync(join(place, program), constants.X_OK);
      return join(place, program);
    } catch {
      // The next one may have it.
    }
  }
  throw new Error(`${program} is not on the PATH`);
}
