// A live chart of one resource, with its history.
import { html, useEffect, useRef, useState, useStore } from "./lib.js";
import { Failure } from "./ui.js";
import { plain } from "./values.js";

// Loaded when the first chart is opened.
let library;
const load = () => (library ??= import("./vendor/uplot.js").then((module) => module.default));

const HEIGHT = 200;
// Between the times of the axis, in seconds.
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 172_800, 604_800];

function colours(element) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(name).trim();
  return { line: of("--accent"), fill: of("--accent-faint"), text: of("--faint"), grid: of("--line") };
}

function options(element, unit) {
  const { line, fill, text, grid } = colours(element);
  const hours = { values: times };
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: "12px system-ui, sans-serif" };
  const show = (_, value) => (value === null ? "" : `${plain(value, "FLOAT")} ${unit}`);
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [12, 28, 0, 0],
    legend: { show: true, live: true },
    cursor: { y: false, points: { size: 8 } },
    scales: { y: { range: spread } },
    axes: [{ ...axis, ...hours, incrs: STEPS, space: 90 }, { ...axis, size: 56 }],
    series: [{ label: "Time", value: (_, at) => (at === null ? "" : new Date(at * 1000).toLocaleString()) }, { label: "Value", stroke: line, fill, width: 2, value: show, points: { show: true, size: 5, fill: line } }],
  };
}

// Whole seconds, or days where there are many.
function times({ scales }, splits) {
  const isLong = scales.x.max - scales.x.min > 86_400;
  const words = isLong ? { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const said = splits.map((at) => new Date(at * 1000).toLocaleString(undefined, words));
  return said.map((text, index) => (text === said[index - 1] ? "" : text));
}

// Some room above and below, also for a value that never changes.
function spread(_, low, high) {
  const room = (high - low) * 0.1 || Math.abs(high) * 0.05 || 1;
  return [low - room, high + room];
}

const dark = matchMedia("(prefers-color-scheme: dark)");

export function Chart({ device, path, name, unit }) {
  useStore(device);
  const box = useRef(null);
  const plot = useRef(null);
  const [error, setError] = useState(null);
  const points = device.series.get(path) ?? [];
  const data = () => [points.map(([at]) => at / 1000), points.map(([, value]) => value)];
  useEffect(() => { device.chart(path); }, [device, path]);
  useEffect(() => {
    let current = true;
    const draw = (UPlot) => {
      if (!current) return;
      plot.current?.destroy();
      plot.current = new UPlot(options(box.current, unit), data(), box.current);
    };
    const again = () => load().then(draw, setError);
    again();
    const sized = new ResizeObserver(() => plot.current?.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    sized.observe(box.current);
    dark.addEventListener("change", again);
    return () => {
      current = false;
      dark.removeEventListener("change", again);
      sized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [path]);
  useEffect(() => plot.current?.setData(data()), [points.length, points.at(-1)?.[0]]);
  return html`<figure class="chart" aria-label="Chart of ${name}" data-points=${points.length}>
    <div ref=${box}></div>
    <figcaption>${summary(points, unit)}</figcaption><${Failure} error=${error} />
  </figure>`;
}

// The chart for those who do not see it.
function summary(points, unit) {
  if (!points.length) return "No values yet. Read it, or observe it to see them as they come.";
  const values = points.map(([, value]) => value);
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const word = points.length === 1 ? "value" : "values";
  return `${points.length} ${word} since ${new Date(points[0][0]).toLocaleString()}; lowest ${plain(low, "FLOAT")}, highest ${plain(high, "FLOAT")} ${unit}`;
}
