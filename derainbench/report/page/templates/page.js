// Printing: everything that is folded away opens, and folds again afterwards.
"use strict";
(() => {
  const narrow = matchMedia("(max-width: 40rem)").matches;
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((details) => { details.open = true; });
  });
  window.addEventListener("afterprint", () => {
    opened.forEach((details) => { details.open = false; });
    opened = [];
  });

  // A link to something inside a closed fold opens it.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const fold = target && target.closest("details");
    if (fold) { fold.open = true; target.scrollIntoView(); }
  };
  window.addEventListener("hashchange", reveal);
  reveal();

  // The plotting library is large: it is read when a plot comes near.
  let library = null;
  const load = () => {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      Object.assign(script, { src: "assets/plotly.min.js", onload: resolve, onerror: reject });
      document.head.append(script);
    });
    return library;
  };
  const whenNear = (element, draw) => {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      load().then(draw);
    }, { rootMargin: "600px" });
    observer.observe(element);
  };

  // What the other scripts share.
  window.derainbench = {
    data: (id) => {
      const holder = document.getElementById(id);
      return holder && JSON.parse(holder.textContent);
    },
    byId: (id) => document.getElementById(id),
    fill: (select, options, chosen) => {
      select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
      if (options.some(([value]) => value === chosen)) select.value = chosen;
    },
    option: (scenario, reuse, skip) => scenario + (reuse ? "-reuse" : "") + (skip ? "-skip" : ""),
    // Plots that follow the width of the page and send nothing anywhere.
    narrow,
    whenNear,
    plotting: {
      responsive: true,
      displaylogo: false,
      displayModeBar: narrow ? false : "hover",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    },
    layout: (more) => ({
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: "#1d2329" },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { align: "left", bgcolor: "#ffffff", bordercolor: "#8a96a1", font: { size: 13 } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: "#8a96a1", activecolor: "#1d2329" },
      dragmode: narrow ? false : "zoom", // a finger scrolls the page
      ...more,
    }),
  };
})();
