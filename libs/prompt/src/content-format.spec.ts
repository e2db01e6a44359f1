import { describe, expect, it } from '@jest/globals';
import { detectContentFormat } from './content-format.ts';
import { parseTemplate } from './jinja/ast.ts';

describe('detectContentFormat', () => {
  it.each([
    ['string', '{% for m in messages %}{{ m.content }}{% endfor %}'],
    ['openai', '{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endfor %}'],
    ['openai', "{% for m in messages[1:] %}{% for p in m['content'] | list %}{{ p }}{% endfor %}{% endfor %}"],
    [
      'openai',
      '{% set loop_messages = messages %}{% for m in loop_messages %}{% for p in m.content %}{% endfor %}{% endfor %}',
    ],
    ['openai', '{% for m in messages %}{% set content = m.content %}{% for p in content %}{% endfor %}{% endfor %}'],
    ['openai', '{% for m in messages if m.role %}{% for p in m.content if p %}{% endfor %}{% endfor %}'],
    [
      'openai',
      '{% macro show(parts) %}{% for p in parts %}{% endfor %}{% endmacro %}{% for m in messages %}{{ show(m.content) }}{% endfor %}',
    ],
    [
      'openai',
      '{% macro show(a, parts) %}{% for p in parts %}{% endfor %}{% endmacro %}{% for m in messages %}{{ show(1, parts=m.content) }}{% endfor %}',
    ],
    ['string', '{% macro show(content) %}{% for p in content %}{% endfor %}{% endmacro %}{{ show(tools) }}'],
    ['string', '{% for tool in tools %}{% for p in tool.content %}{% endfor %}{% endfor %}'],
    [
      'string',
      '{% set ns = namespace() %}{% set ns.all = messages %}{% for m in messages %}{% for p in m.content %}{% endfor %}{% endfor %}',
    ],
  ])('%s for %s', (format, template) => {
    expect(detectContentFormat(parseTemplate(template))).toBe(format);
  });
});
