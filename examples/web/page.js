import { Tensor, loadAndCompile, loadLiteRt } from "@litertjs/core";
import { correct, thumbnail } from "./balance.js";

const [input, output, canvas] = ["input", "output", "canvas"].map((name) =>
  document.querySelector(name),
);

async function balance(file) {
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const photo = await createImageBitmap(file, options); // upright, as its EXIF says
  Object.assign(canvas, { width: photo.width, height: photo.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(photo, 0, 0);
  const image = context.getImageData(0, 0, photo.width, photo.height);
  const images = new Tensor(thumbnail(image, 64), [1, 64, 64, 3]);
  const found = await model.run({ images });
  const [light, gains] = [await found.illuminant.data(), await found.gains.data()];
  context.putImageData(correct(image, gains), 0, 0);
  output.textContent = `Light: ${[...light].map((value) => value.toFixed(6)).join(" ")}`;
  for (const tensor of [images, ...Object.values(found)]) tensor.delete();
}

await loadLiteRt("./node_modules/@litertjs/core/wasm/");
const model = await loadAndCompile("./dscnn-64-float32.tflite", { accelerator: "wasm" });
input.addEventListener("change", () => {
  output.textContent = "";
  balance(input.files[0]).catch((error) => (output.textContent = `Not corrected: ${error.message}`));
});
input.disabled = false;
