// The visitor's own image: drawn by finger, mouse or keyboard, or opened from a file.

const pad = byId("pad");
const ink = pad.getContext("2d", { willReadFrequently: true });
const STROKE = 26; // of the pad's 280 pixels: two to three of MNIST's, whose strokes are as wide
const OPENED = { mnist: fitted, caltech101: resized };
const pen = { x: pad.width / 2, y: pad.height / 2, lowered: false };

function clear() {
  ink.fillStyle = "black";
  ink.fillRect(0, 0, pad.width, pad.height);
  pad.parentElement.classList.add("blank");
}

function drawn() {
  const { data: rgba } = ink.getImageData(0, 0, pad.width, pad.height);
  const gray = Float64Array.from({ length: pad.width * pad.height }, (_, i) => rgba[4 * i]);
  take(centred({ data: gray, width: pad.width, height: pad.height }));
}

function stroke(to) {
  Object.assign(ink, { strokeStyle: "white", lineWidth: STROKE, lineCap: "round", lineJoin: "round" });
  ink.beginPath();
  ink.moveTo(pen.x, pen.y);
  ink.lineTo(to.x, to.y);
  ink.stroke();
  pad.parentElement.classList.remove("blank");
  movePen(to);
}

// Keyboards see where the pen is.
function movePen(to) {
  Object.assign(pen, to);
  const mark = byId("pen");
  mark.classList.toggle("lowered", pen.lowered);
  mark.style.left = `${(100 * pen.x) / pad.width}%`;
  mark.style.top = `${(100 * pen.y) / pad.height}%`;
}

function position(event) {
  const box = pad.getBoundingClientRect();
  return { x: ((event.clientX - box.left) * pad.width) / box.width, y: ((event.clientY - box.top) * pad.height) / box.height };
}

pad.addEventListener("pointerdown", (event) => {
  pad.setPointerCapture(event.pointerId);
  movePen(position(event));
  stroke(position(event));
  drawn();
});
pad.addEventListener("pointermove", (event) => {
  if (!pad.hasPointerCapture(event.pointerId)) return;
  for (const each of event.getCoalescedEvents?.() ?? []) stroke(position(each));
  stroke(position(event));
  drawn();
});
pad.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0] }[event.key];
  if (!move) return;
  event.preventDefault();
  if (event.key === " ") pen.lowered = !pen.lowered;
  const inside = (value) => Math.max(STROKE, Math.min(pad.width - STROKE, value));
  const to = { x: inside(pen.x + 10 * move[0]), y: inside(pen.y + 10 * move[1]) };
  if (pen.lowered) {
    stroke(to);
    drawn();
  } else movePen(to);
});
byId("clear").addEventListener("click", () => { clear(); drawn(); });

byId("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (!file) return;
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, 1120 / Math.max(bitmap.width, bitmap.height));
    const canvas = element("canvas");
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
    const context = canvas.getContext("2d");
    context.fillStyle = "white"; // behind what is transparent
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    clear();
    take(OPENED[state.set.name](grayOf(context.getImageData(0, 0, canvas.width, canvas.height))));
  } catch {
    byId("message").textContent = `${file.name} is not an image that this browser can read.`;
  }
});
