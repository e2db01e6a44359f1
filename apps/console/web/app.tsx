import { render } from 'preact';
import { startKeyboard } from './keyboard.ts';
import { startRouting } from './state/route.ts';
import { startLive } from './state/store.ts';
import { startTheme } from './state/theme.ts';
import { Shell } from './views/shell.tsx';

startTheme();
startRouting();
startKeyboard();
render(<Shell />, document.getElementById('app')!);
startLive();
