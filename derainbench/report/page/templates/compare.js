// Two versions of an image, one over the other: divider, zoom, and movement of both together.
"use strict";
(() => {
  const { data: read, byId, fill } = window.derainbench;
  const data = read("compare-data");
  if (!data) return;
  const stage = byId("compare-stage"), slider = byId("compare-slider");
  const pictures = { left: byId("image-left"), right: byId("image-right") };
  const chosen = { left: byId("compare-left"), right: byId("compare-right") };
  const images = data.sets.flatMap((set) => set.images.map((image) => ({ ...image, set })));
  const view = { zoom: 1, x: 0, y: 0 }; // shift in shares of the stage's size
  const MOST = 8;

  const image = () => images[Number(byId("compare-image").value)];

  const place = () => {
    const room = (view.zoom - 1) / 2;
    view.x = Math.min(room, Math.max(-room, view.x));
    view.y = Math.min(room, Math.max(-room, view.y));
    const transform = `translate(${100 * view.x}%, ${100 * view.y}%) scale(${view.zoom})`;
    const share = Number(slider.value);
    // The divider stands still on the stage; the clip is in the image's own, zoomed, frame.
    const clip = 100 * ((share / 100 - 0.5 - view.x) / view.zoom + 0.5);
    for (const picture of Object.values(pictures)) {
      picture.style.transform = transform;
      picture.style.imageRendering = view.zoom > 2 ? "pixelated" : "auto";
    }
    pictures.left.style.clipPath = `inset(0 ${100 - clip}% 0 0)`;
    byId("compare-divider").style.left = `${share}%`;
    byId("zoom-level").value = `${Math.round(100 * view.zoom)} %`;
    stage.classList.toggle("zoomed", view.zoom > 1);
  };

  const zoom = (factor, x = 0, y = 0) => { // towards a point, in shares from the middle
    const next = Math.min(MOST, Math.max(1, view.zoom * factor));
    view.x = x - (x - view.x) * next / view.zoom;
    view.y = y - (y - view.y) * next / view.zoom;
    view.zoom = next;
    place();
  };

  const show = () => {
    const shown = image();
    const versions = { left: shown.versions[chosen.left.value], right: shown.versions[chosen.right.value] };
    const { width, height } = Object.values(shown.versions)[0];
    stage.parentElement.style.setProperty("--ratio", width / height);
    for (const [side, version] of Object.entries(versions)) {
      pictures[side].src = version.src;
      pictures[side].alt = `${shown.name}: ${version.title}`;
      byId(`name-${side}`).textContent = version.title;
      byId(`score-${side}`).textContent = version.title;
    }
    byId("score-kind").textContent = shown.set.paired ? "PSNR / SSIM, protocol" : "No-reference score, lower is better";
    const kinds = [...new Set([versions.left, versions.right].flatMap((v) => Object.keys(v.scores)))];
    byId("compare-scores").tBodies[0].replaceChildren(...kinds.map((kind) => {
      const row = document.createElement("tr");
      const texts = [kind, versions.left.scores[kind] ?? "–", versions.right.scores[kind] ?? "–"];
      row.append(...texts.map((text, i) => {
        const cell = document.createElement(i ? "td" : "th");
        if (!i) cell.scope = "row";
        cell.textContent = text;
        return cell;
      }));
      return row;
    }));
    byId("compare-note").textContent = `${shown.set.name} test, ${shown.name}.`
      + (shown.set.paired ? "" : " A photograph of real rain: there is no ground truth.");
    place();
  };

  const chooseVersions = () => {
    const options = Object.entries(image().versions).map(([id, version]) => [id, version.title]);
    const before = { left: chosen.left.value, right: chosen.right.value };
    const has = (id) => options.some(([value]) => value === id);
    fill(chosen.left, options, has(before.left) ? before.left : "input");
    fill(chosen.right, options, has(before.right) ? before.right : (options[1] ?? options[0])[0]);
    show();
  };

  fill(byId("compare-image"), images.map((one, i) => [String(i), `${one.set.name}: ${one.name}`]), "0");
  byId("compare-image").addEventListener("change", () => {
    Object.assign(view, { zoom: 1, x: 0, y: 0 });
    chooseVersions();
  });
  chosen.left.addEventListener("change", show);
  chosen.right.addEventListener("change", show);
  slider.addEventListener("input", place);
  byId("zoom-in").addEventListener("click", () => zoom(1.5));
  byId("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
  byId("zoom-reset").addEventListener("click", () => zoom(1 / MOST));

  const share = (event) => {
    const box = stage.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  let drag = null; // where the pointer was; near the divider or unzoomed it moves the divider
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const [x, y] = share(event);
    drag = { x, y, divider: view.zoom === 1 || Math.abs(x - slider.value / 100) < 0.03 };
    stage.setPointerCapture(event.pointerId);
    stage.focus({ preventScroll: true });
    if (drag.divider) { slider.value = 100 * x; place(); }
  });
  stage.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x, y] = share(event);
    if (drag.divider) slider.value = 100 * x;
    else { view.x += x - drag.x; view.y += y - drag.y; }
    Object.assign(drag, { x, y });
    place();
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { drag = null; });
  // Only once the image has been clicked: else the wheel scrolls the page.
  stage.addEventListener("wheel", (event) => {
    if (document.activeElement !== stage) return;
    event.preventDefault();
    const [x, y] = share(event);
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, x - 0.5, y - 0.5);
  }, { passive: false });
  stage.addEventListener("keydown", (event) => {
    const step = 0.08;
    const keys = {
      "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(1 / 1.25), 0: () => zoom(1 / MOST),
      ArrowLeft: () => { view.x += step; place(); }, ArrowRight: () => { view.x -= step; place(); },
      ArrowUp: () => { view.y += step; place(); }, ArrowDown: () => { view.y -= step; place(); },
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  chooseVersions();
})();
