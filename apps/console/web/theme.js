// Before the first paint: the theme that was chosen, else the system's. Kept in step by state/theme.ts.
{
  const chosen = localStorage.getItem('sluice.theme');
  const dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
}
