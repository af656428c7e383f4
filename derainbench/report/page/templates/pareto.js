// Score against cost: filters, hover, and published values that never look like measured ones.
"use strict";
(() => {
  const { data: read, byId, fill, option, plotting, layout, narrow, whenNear } = window.derainbench;
  const data = read("pareto-data");
  if (!data) return;
  // Plotly reads tags and entities in its texts; what comes from files is shown as it is written.
  const asWritten = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  for (const point of [...data.points, ...data.published]) {
    for (const key of ["title", "weights", "counted_on", "kind"]) point[key] &&= asWritten(point[key]);
  }
  const field = (name) => byId(`pareto-${name}`);
  const AXES = {
    parameters: "parameters",
    gmacs: "dense GMACs of one 256x256 image",
    energy: "energy of one image, mJ",
    method: "",
  };
  const number = (value, digits) => value === null ? "not known"
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  fill(field("dataset"), data.datasets.map((name) => [name, name]), data.dataset);
  fill(field("protocol"), data.protocols.map((name) => [name, name]), data.protocol);
  fill(field("scenario"), Object.entries(data.scenarios).map(([k, s]) => [k, `(${k}) ${s.title}`]), "c");
  fill(field("costs"), data.costs.map((name) => [name, name]), data.default_costs);
  for (const axis of ["parameters", "gmacs", "energy"]) {
    const known = data.points.some((p) => axis === "energy" ? Object.keys(p.energy).length : p[axis]);
    const choice = field("x").querySelector(`[value=${axis}]`);
    choice.disabled = !known;
    if (!known) choice.textContent += " (not counted)";
  }
  if (field("x").selectedOptions[0].disabled) {
    const first = field("x").querySelector("option:not(:disabled)");
    if (first) field("x").value = first.value;
  }

  field("names").checked = !narrow;

  // Only spiking networks have time steps over which something is constant.
  const energyOf = (point, { costs, scenario, reuse, skip }) =>
    point.energy[costs]?.[option(scenario, reuse && point.spiking, skip)] ?? null;

  // Points that no other one beats: as good for less energy.
  const FRONTIER = "frontier";
  const frontier = (points, cost, score) => points
    .filter((p) => !points.some((o) => score(o) >= score(p) && cost(o) <= cost(p)
      && (score(o) > score(p) || cost(o) < cost(p))))
    .sort((a, b) => cost(a) - cost(b));

  const hover = (point, state) => {
    const score = point.scores[state.protocol];
    const energy = energyOf(point, state);
    return [
      `<b>${point.title}</b>`,
      point.weights,
      `PSNR ${number(score.psnr, 2)} dB${score.psnr_sd === null ? "" : ` ± ${number(score.psnr_sd, 2)}`}`
        + ` / SSIM ${number(score.ssim, 4)}, protocol ${state.protocol}`,
      `${point.images} images of ${asWritten(point.dataset)}`
        + (point.seeds === null ? "" : `, ${point.seeds} seed${point.seeds > 1 ? "s" : ""}`),
      `${number(point.parameters, 0)} parameters, ${number(point.gmacs, 2)} GMACs`,
      `energy (${state.scenario}) ${energy === null ? "not known" : `${number(energy, 2)} mJ`}`
        + (point.counted_on ? `, ${point.counted_on}` : ""),
    ].join("<br>");
  };

  // Each name on the first side of its marker where it covers no other name and no other marker; a
  // name without such a side is left to hovering.
  const SIDES = { "top center": [0, -1], "bottom center": [0, 1], "middle right": [1, 0], "middle left": [-1, 0] };
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `12px ${layout({}).font.family}`;
  const placeNames = (plot) => {
    const { xaxis, yaxis, width } = plot._fullLayout;
    const traces = plot.data.filter((trace) => trace.name !== FRONTIER); // the frontier is the last one
    const points = traces.flatMap((trace, t) => trace.x.map((x, i) => ({
      t, i, name: trace.text[i], x: xaxis.d2p(x), y: yaxis.d2p(trace.y[i]),
      reach: [trace.marker.size].flat()[i] ?? trace.marker.size,
    }))).map((p) => ({ ...p, reach: p.reach / 2 }));
    const taken = points.map((p) => ({
      point: p, left: p.x - p.reach, right: p.x + p.reach, top: p.y - p.reach, bottom: p.y + p.reach,
    }));
    const sides = traces.map((trace) => ({ text: [...trace.text], textposition: trace.text.map(() => "top center") }));
    for (const point of points.sort((a, b) => a.y - b.y)) {
      const [w, h] = [pen.measureText(point.name).width * 1.05, 14];
      // Plotly keeps a name further from a larger marker, and does not centre it on its line.
      const away = point.reach / 0.8 + 1;
      const free = Object.entries(SIDES).map(([side, [right, down]]) => {
        const [x, y] = [point.x + right * (away + w / 2), point.y + down * away + 5 + (down - 1) * 6];
        return { point, side, left: x - w / 2, right: x + w / 2, top: y - h / 2, bottom: y + h / 2 };
      }).find((box) => box.left > -xaxis._offset && box.right < width - xaxis._offset
        && taken.every((other) => other.point === point || box.right < other.left
          || box.left > other.right || box.bottom < other.top || box.top > other.bottom));
      if (free) {
        taken.push(free);
        sides[point.t].textposition[point.i] = free.side;
      } else {
        sides[point.t].text[point.i] = "";
      }
    }
    Plotly.restyle(plot, {
      text: sides.map((s) => s.text), textposition: sides.map((s) => s.textposition),
    }, traces.map((_, i) => i));
  };

  const draw = () => {
    const state = {
      dataset: field("dataset").value, protocol: field("protocol").value,
      x: field("x").value, y: field("y").value, scenario: field("scenario").value, costs: field("costs").value,
      reuse: field("reuse").checked, skip: field("skip").checked,
    };
    document.querySelector("#pareto .energy-only").hidden = state.x !== "energy";
    const byName = state.x === "method";
    const cost = (p) => state.x === "energy"
      ? energyOf(p, state) : byName ? p.title : p[state.x];
    const here = data.points.filter((p) => p.dataset === state.dataset);
    const shown = here.filter((p) => byName || cost(p) > 0);
    const published = state.y === "psnr" && state.x !== "energy" && !byName
      ? data.published.filter((p) => p.dataset === state.dataset && p[state.x] !== null) : [];
    const most = Math.max(...data.points.map((p) => p.gmacs ?? 0), 1e-9);
    const names = field("names").checked && !byName;
    const score = (p) => p.scores[state.protocol][state.y];
    const trace = (points, name, colour, symbol) => ({
      type: "scatter", name, mode: names ? "markers+text" : "markers",
      x: points.map(cost), y: points.map(score),
      error_y: {
        type: "data", color: colour, thickness: 1, visible: points.some((p) => p.seeds > 1),
        array: points.map((p) => p.scores[state.protocol][`${state.y}_sd`]),
      },
      text: points.map((p) => p.title), textfont: { size: 12 },
      textposition: "top center",
      customdata: points.map((p) => hover(p, state)), hovertemplate: "%{customdata}<extra></extra>",
      marker: {
        color: colour, symbol, opacity: 0.75, line: { color: "#1d2329", width: 1 },
        size: points.map((p) => p.gmacs === null ? 9 : 9 + 31 * Math.sqrt(p.gmacs / most)),
      },
      cliponaxis: false,
    });
    const traces = [
      trace(shown.filter((p) => !p.spiking), "ANN, measured here", "#0173b2", "circle"),
      trace(shown.filter((p) => p.spiking), "spiking, measured here", "#de8f05", "diamond"),
    ].filter((t) => t.x.length);
    if (published.length) {
      traces.push({
        type: "scatter", name: "published, protocol unknown",
        mode: names ? "lines+markers+text" : "lines+markers",
        x: published.map((p) => p[state.x]), y: published.map((p) => p.psnr),
        text: published.map((p) => p.title), textposition: "bottom center", textfont: { size: 12 },
        customdata: published.map((p) => `<b>${p.title}</b>: published, not measured here<br>`
          + `${number(p.psnr, 2)} dB, protocol unknown<br>${p.kind}`),
        hovertemplate: "%{customdata}<extra></extra>",
        line: { color: "#5b6670", dash: "dot", width: 1 },
        marker: { symbol: "circle-open", size: 15, color: "#5b6670", line: { width: 1.5 } },
        cliponaxis: false,
      });
    }
    if (state.x === "energy" && shown.length) {
      const best = frontier(shown.filter((p) => score(p) !== null), cost, score);
      traces.push({
        type: "scatter", name: FRONTIER, mode: "lines", x: best.map(cost), y: best.map(score),
        line: { shape: "hv", color: "#1d2329", width: 1.2 }, hoverinfo: "skip",
      });
    }
    const costs = byName ? [] : traces.flatMap((t) => t.x).map(Math.log10);
    const [low, high] = [Math.min(...costs), Math.max(...costs)];
    const margin = Math.max(0.25 * (high - low), 0.3);
    const unit = state.y === "psnr" ? "PSNR, dB" : "SSIM";
    Plotly.react(field("plot"), traces, layout({
      margin: { l: 62, r: 12, t: data.mark ? 34 : 12, b: 80 },
      title: data.mark
        ? { text: `${data.mark}: no scientific content`, font: { size: 13 } } : undefined,
      xaxis: {
        type: byName ? "category" : "log", title: {
          text: AXES[state.x] + (state.x === "energy" ? `, scenario (${state.scenario})` : ""),
          font: { size: 13 }, standoff: 8,
        },
        range: costs.length ? [low - margin, high + margin] : undefined,
        gridcolor: "#e4e8ec", zeroline: false, automargin: true,
        ...byName ? {} : { tickformat: "~s", dtick: high - low > (narrow ? 1.2 : 2) ? 1 : "D2" },
      },
      yaxis: {
        title: { text: `${unit}, protocol ${state.protocol}`, font: { size: 13 }, standoff: 10 }, gridcolor: "#e4e8ec", zeroline: false,
        automargin: true,
      },
      legend: { orientation: "h", yanchor: "top", y: byName ? -0.2 : -0.13, x: 0 },
      hovermode: "closest",
    }), plotting);
    if (names) placeNames(field("plot"));
    const lost = here.filter((p) => !shown.includes(p)).map((p) => p.title);
    field("note").textContent = [
      `${shown.length} methods on ${state.dataset}, protocol ${state.protocol}; a marker’s area grows with dense GMACs.`,
      lost.length ? `Not shown, because that cost is not known: ${lost.join(", ")}.` : "",
      state.x === "energy" ? `Scenario (${state.scenario}): ${data.scenarios[state.scenario].text}. Costs ${state.costs}. Line: the frontier, beyond which no network here is as good for less energy.` : "",
      published.length ? "Hollow markers are published numbers of unknown protocol: not comparable with the measured ones."
        : "No published value is known for this view.",
    ].filter(Boolean).join(" ");
  };
  whenNear(field("plot"), () => {
    byId("pareto").querySelector("form").addEventListener("change", draw);
    draw();
  });
})();
