// Energy as a function of the firing rate: fixed part + slope * rate, both counted by the harness.
"use strict";
(() => {
  const { data: read, byId, fill, option, plotting, layout, whenNear } = window.derainbench;
  const data = read("energy-data");
  if (!data) return;
  const field = (name) => byId(`energy-${name}`);

  // Energies in mJ of one image; breakEven: null if there is none, above 1 if at every rate.
  const account = (network, baseline, costs, key, rate) => {
    const price = network.prices[costs]?.[key], other = baseline.energies[costs]?.[key];
    if (!price || other === undefined || other === null) return null;
    const [fixed, slope] = price;
    const own = slope ? fixed + slope * rate : fixed;
    return {
      own, baseline: other, saving: 1 - own / other, fixed, slope,
      breakEven: slope && fixed < other ? (other - fixed) / slope : null,
    };
  };
  window.derainbench.account = account;
  window.derainbench.energy = data;

  const network = () => data.networks[Number(field("network").value)];
  const baseline = () => network().baselines[Number(field("baseline").value)];
  const key = () => option(field("scenario").value, field("reuse").checked, field("skip").checked);
  const whole = (share) => `${(100 * share).toFixed(0)} %`;
  const percent = (share) => `${(100 * share).toFixed(1)} %`.replace("-", "−");
  const millijoule = (mj) => `${mj.toPrecision(4)} mJ`;

  const sentence = (priced) => {
    if (priced.breakEven === null) {
      return `No firing rate makes it cheaper: what no firing rate changes already costs ${(priced.fixed / priced.baseline).toFixed(2)} times the baseline’s whole energy.`;
    }
    if (priced.breakEven >= 1) return "It is cheaper at every firing rate.";
    return `Break-even at a mean firing rate of ${priced.breakEven.toFixed(3)}: below it is cheaper, above dearer.`;
  };

  const plot = (priced, rate) => {
    if (!window.Plotly) return;
    const { firing_rate: measured } = network(), unequal = baseline().quality.equal === false;
    const rates = [0, 1], claimed = unequal ? null : network().claimed; // held against no unequal pair
    const lines = [
      {
        x: rates, y: rates.map((r) => 1 - (priced.fixed + priced.slope * r) / priced.baseline),
        name: `against ${baseline().title}`, mode: "lines", line: { color: unequal ? "#b9c0c7" : "#0173b2", width: 2.5 },
        hovertemplate: "rate %{x:.3f}: %{y:.1%} saved<extra></extra>",
      },
      ...claimed === null ? [] : [{
        x: rates, y: [claimed, claimed], name: `published saving, ${whole(claimed)}`, mode: "lines",
        line: { color: "#5b6670", dash: "dot", width: 1.5 }, hoverinfo: "skip",
      }],
      {
        x: [rate], y: [priced.saving], name: "chosen rate", mode: "markers",
        marker: { color: unequal ? "#b9c0c7" : "#de8f05", size: 12, line: { color: "#1d2329", width: 1 } },
        hovertemplate: "rate %{x:.3f}: %{y:.1%} saved<extra></extra>",
      },
    ];
    if (measured !== null) {
      lines.push({
        x: [measured, measured], y: [-1e3, 1], mode: "lines", name: `measured rate, ${measured.toFixed(3)}`,
        line: { color: "#8a96a1", width: 1.5, dash: "dash" }, hoverinfo: "skip",
      });
    }
    const least = Math.min(...lines[0].y, 0);
    Plotly.react(field("plot"), lines, layout({
      margin: { l: 62, r: 12, t: 10, b: 84 },
      xaxis: { title: { text: "mean firing rate", font: { size: 13 }, standoff: 8 }, range: [0, 1], gridcolor: "#e4e8ec", zeroline: false },
      yaxis: {
        title: { text: "energy saved", font: { size: 13 } }, tickformat: ".0%", range: [Math.max(least, -3) * 1.1 - 0.05, 1.05],
        gridcolor: "#e4e8ec", zerolinecolor: "#1d2329",
      },
      legend: { orientation: "h", yanchor: "top", y: -0.18, x: 0 },
    }), plotting);
  };

  const draw = () => {
    const chosen = network(), rate = Number(field("rate").value);
    const priced = account(chosen, baseline(), field("costs").value, key(), rate);
    field("rate-value").value = rate.toFixed(3);
    field("measured").hidden = chosen.firing_rate === null;
    field("measured").textContent = chosen.firing_rate === null ? "" : `measured: ${chosen.firing_rate.toFixed(3)}`;
    field("about").textContent = `${chosen.title}: ${chosen.about}.`
      + (chosen.firing_rate === null ? " Its firing rate takes trained full-size weights: choose one." : "")
      + ` Scenario (${field("scenario").value}): `
      + `${data.scenarios[field("scenario").value].text}. Costs: ${data.costs[field("costs").value]}.`;
    for (const part of ["own", "other", "own-name", "baseline-name", "break-even", "quality"]) field(part).textContent = "";
    const { quality } = baseline();
    document.querySelector("#explorer .answer").classList.toggle("other-quality", quality.equal === false);
    document.querySelector("#explorer .bars").hidden = field("plot").hidden = !priced;
    if (!priced) {
      field("saving").textContent = "Not known:";
      field("sentence").textContent = "the sources give no number for this choice. Without trained weights nobody knows "
        + "how many zeros there are to skip; some cost tables price no MACs, memory or elementwise operations, and only one "
        + "prices quantised ANN counterparts.";
      return;
    }
    field("quality").textContent = `${quality.text}.`;
    if (quality.equal === false && !quality.scored) {
      document.querySelector("#explorer .bars").hidden = field("plot").hidden = true;
      field("saving").textContent = "Not compared:";
      field("sentence").textContent = "no saving stands without the scores of both networks on the same images.";
      return;
    }
    const most = Math.max(priced.own, priced.baseline);
    field("own-bar").style.width = `${100 * priced.own / most}%`;
    field("baseline-bar").style.width = `${100 * priced.baseline / most}%`;
    field("own-name").textContent = chosen.title;
    field("baseline-name").textContent = baseline().title;
    field("own").textContent = millijoule(priced.own);
    field("other").textContent = millijoule(priced.baseline);
    field("saving").textContent = priced.saving >= 0 ? `${percent(priced.saving)} saved` : `${percent(-priced.saving)} more`;
    field("sentence").textContent = `at a mean firing rate of ${rate.toFixed(3)}, against ${baseline().title}`
      + (chosen.claimed === null ? "." : `; published: ${whole(chosen.claimed)} saved.`);
    if (quality.equal === false) {
      field("sentence").textContent = `${field("saving").textContent} at a mean firing rate of ${rate.toFixed(3)}, against ${baseline().title}.`;
      field("saving").textContent = "Not of equal quality:";
    }
    field("break-even").textContent = sentence(priced);
    plot(priced, rate);
  };

  const chooseBaseline = () => {
    const before = field("baseline").selectedOptions[0]?.textContent;
    const titles = network().baselines.map((b) => b.title);
    fill(field("baseline"), titles.map((title, i) => [String(i), title]), String(Math.max(titles.indexOf(before), 0)));
    if (network().firing_rate !== null) field("rate").value = network().firing_rate;
    draw();
  };

  fill(field("network"), data.networks.map((n, i) => [String(i), n.measured ? `${n.title}, as measured` : `${n.title}, full size`]), "0");
  fill(field("scenario"), Object.entries(data.scenarios).map(([k, s]) => [k, `(${k}) ${s.title}`]), data.default_scenario);
  fill(field("costs"), Object.keys(data.costs).map((name) => [name, name]), data.default_costs);
  field("network").addEventListener("change", chooseBaseline);
  for (const name of ["baseline", "scenario", "costs", "reuse", "skip"]) field(name).addEventListener("change", draw);
  field("rate").addEventListener("input", draw);
  field("measured").addEventListener("click", () => { field("rate").value = network().firing_rate; draw(); });
  chooseBaseline();
  whenNear(field("plot"), draw);
})();
