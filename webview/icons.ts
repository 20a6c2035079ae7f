// The few signs the page needs, drawn in the text's own colour; words always stand beside them.
import { html, type TemplateResult } from 'lit/html.js';

const PATHS = {
  refresh: 'M13.2 8a5.2 5.2 0 1 1-1.6-3.8M13.2 1.8v3h-3',
  check: 'M3 8.6l3.3 3.3L13 4.6',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  close: 'M4 4l8 8M12 4l-8 8',
  warning: 'M8 2.2l6.3 11.3H1.7zM8 6.4v3.4M8 11.6v.1',
  error: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4',
  info: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8M8 7.2v4M8 4.8v.1',
  success: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8M5.2 8.2l2 2 3.6-4.2',
  flask: 'M5.8 1.8h4.4M6.6 1.8v4.4L3 12.9c-.4.7 0 1.3.8 1.3h8.4c.8 0 1.2-.6.8-1.3L9.4 6.2V1.8M4.8 9.8h6.4',
} as const;

export type IconName = keyof typeof PATHS;

export function icon(name: IconName): TemplateResult {
  return html`<svg class="icon icon-${name}" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]}></path>
  </svg>`;
}
