/** Settings as lines: nested names joined by dots, lists of simple values in one line. */
export function flatten(value: unknown, name = ''): (readonly [name: string, value: string])[] {
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object' || item === null))
      return [[name, value.length === 0 ? 'none' : value.join(', ')]];
    return value.flatMap((item, i) => flatten(item, `${name}[${i}]`));
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0 && name !== '') return [[name, 'none']];
    return entries.flatMap(([key, item]) => flatten(item, name === '' ? key : `${name}.${key}`));
  }
  return [[name, value === null || value === '' ? 'none' : String(value)]];
}
