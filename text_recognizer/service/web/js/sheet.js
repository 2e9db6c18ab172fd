// A sheet to write on with pen, finger or mouse.

export class Sheet {
  constructor(canvas) {
    this.canvas = canvas;
    this.strokes = [];
    this.stroke = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (this.stroke) return; // a palm or another finger
      this.pointer = event.pointerId;
      canvas.setPointerCapture(event.pointerId);
      this.stroke = [this.point(event)];
      this.strokes.push(this.stroke);
      this.draw();
      event.preventDefault();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.stroke || event.pointerId !== this.pointer) return;
      for (const part of event.getCoalescedEvents?.() ?? [event]) this.stroke.push(this.point(part));
      this.draw();
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => {
      if (event.pointerId === this.pointer) this.stroke = null;
    });
    this.draw();
  }

  get blank() {
    return !this.strokes.length;
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * this.canvas.width,
      y: ((event.clientY - box.top) / box.height) * this.canvas.height,
      // A mouse has no pressure and reports a half.
      width: 3 + 5 * (event.pressure || 0.5),
    };
  }

  undo() {
    this.strokes.pop();
    this.draw();
  }

  clear() {
    this.strokes = [];
    this.draw();
  }

  /** Draw everything: the paper and ink that will be read, whatever theme the page has. */
  draw() {
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.strokeStyle = context.fillStyle = "#14213d";
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) drawStroke(context, stroke);
  }

  /** The sheet as a PNG. */
  picture() {
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }
}

function drawStroke(context, stroke) {
  if (stroke.length === 1) {
    context.beginPath();
    context.arc(stroke[0].x, stroke[0].y, stroke[0].width / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  for (let i = 1; i < stroke.length; i++) {
    const [a, b] = [stroke[i - 1], stroke[i]];
    context.beginPath();
    context.lineWidth = (a.width + b.width) / 2;
    context.moveTo(a.x, a.y);
    context.lineTo(b.x, b.y);
    context.stroke();
  }
}
