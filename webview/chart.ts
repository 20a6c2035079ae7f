// The only module that knows uPlot: a bar for each day, with a tooltip. It draws on a canvas, which theme variables do
// not reach, so its colours are read anew whenever it is drawn. For ears there is the table below it.
import { t } from '@vscode/l10n';
import { AsyncDirective } from 'lit/async-directive.js';
import { directive, type ElementPart, type PartInfo, PartType } from 'lit/directive.js';
import type { TemplateResult } from 'lit/html.js';
import { html } from 'lit/html.js';
import uPlot from 'uplot';
import { UCR_PER_CREDIT, type Ucr } from '../protocol/units.ts';
import { creditsText, utcDayText } from './words.ts';

export type Days = ReadonlyArray<{ readonly atMs: number; readonly usedUcr: Ucr }>;

const HEIGHT_PX = 140;
const HALF_DAY_S = 43_200;

export function usageChart(days: Days, locale: string): TemplateResult {
  return html`<div class="chart" aria-hidden="true" ${drawn(days, locale)}></div>`;
}

class DrawnDirective extends AsyncDirective {
  readonly #holder: HTMLElement;
  #chart: uPlot | undefined;
  #shown = '';
  #days: Days = [];
  #locale = 'en';
  readonly #resized = new ResizeObserver(() => this.#fit());
  /** The editor tells of another theme by the body's class and the root's style. */
  readonly #themed = new MutationObserver(() => this.#draw());

  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT) {
      throw new Error('the chart belongs on an element');
    }
    this.#holder = (part as ElementPart).element as HTMLElement;
    this.#watch();
  }

  render(_days: Days, _locale: string): undefined {
    return undefined;
  }

  override update(_part: ElementPart, [days, locale]: [Days, string]): undefined {
    const shown = JSON.stringify([days, locale]);
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#days = days;
      this.#locale = locale;
      this.#draw();
    }
  }

  override disconnected(): void {
    this.#resized.disconnect();
    this.#themed.disconnect();
    this.#chart?.destroy();
    this.#chart = undefined;
  }

  override reconnected(): void {
    this.#watch();
    this.#draw();
  }

  #watch(): void {
    this.#resized.observe(this.#holder);
    this.#themed.observe(document.body, { attributes: true, attributeFilter: ['class'] });
    this.#themed.observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
  }

  #fit(): void {
    const width = this.#holder.clientWidth;
    if (width === 0) {
      return;
    }
    if (!this.#chart) {
      this.#draw();
    } else if (this.#chart.width !== width) {
      this.#chart.setSize({ width, height: HEIGHT_PX });
    }
  }

  #draw(): void {
    const width = this.#holder.clientWidth;
    this.#chart?.destroy();
    this.#chart = undefined;
    if (width === 0) {
      // Not laid out yet; the observer calls when it is.
      return;
    }
    const days = this.#days;
    const data: uPlot.AlignedData = [
      days.map(({ atMs }) => atMs / 1_000),
      days.map(({ usedUcr }) => usedUcr / UCR_PER_CREDIT),
    ];
    this.#chart = new uPlot(options(width, days, this.#locale, this.#holder), data, this.#holder);
  }
}

const drawn = directive(DrawnDirective);

function options(width: number, days: Days, locale: string, holder: HTMLElement): uPlot.Options {
  const style = getComputedStyle(holder);
  const text = style.color;
  const bar = style.getPropertyValue('--bar').trim() || text;
  const line = style.getPropertyValue('--line').trim() || text;
  const font = `${style.fontSize} ${style.fontFamily}`;
  const dayName = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric', timeZone: 'UTC' });
  const rough = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
  const axis = { stroke: text, font, ticks: { show: false } };
  const barPaths = uPlot.paths.bars?.({ size: [0.7, 24], radius: 0.15 });
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    padding: [8, 28, 0, 0],
    tzDate: seconds => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      // Half a day more on either side, so that the first bar and the last are whole.
      x: { range: (_chart, first, last) => [first - HALF_DAY_S, last + HALF_DAY_S] },
      y: { range: (_chart, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        grid: { show: false },
        space: 70,
        values: (_chart, splits) => splits.map(seconds => dayName.format(seconds * 1_000)),
      },
      {
        ...axis,
        size: 48,
        space: 36,
        grid: { stroke: line, width: 1 },
        values: (_chart, splits) => splits.map(credits => rough.format(credits)),
      },
    ],
    series: [
      {},
      { fill: bar, stroke: bar, points: { show: false }, ...(barPaths ? { paths: barPaths } : {}) },
    ],
    plugins: [tooltip(days, locale)],
  };
}

/** The day under the pointer in words. Its text is set as text, and placed by the object model, as the policy allows. */
function tooltip(days: Days, locale: string): uPlot.Plugin {
  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.hidden = true;
  return {
    hooks: {
      init: chart => {
        chart.over.append(tip);
      },
      setCursor: chart => {
        const { idx, left = 0 } = chart.cursor;
        const day = idx === null || idx === undefined ? undefined : days[idx];
        tip.hidden = !day || left < 0;
        if (day) {
          tip.textContent = t('{0}: {1}', utcDayText(day.atMs, locale), creditsText(day.usedUcr, locale));
          const room = chart.over.clientWidth - tip.offsetWidth;
          tip.style.insetInlineStart = `${Math.max(0, Math.min(room, left - tip.offsetWidth / 2))}px`;
        }
      },
    },
  };
}
