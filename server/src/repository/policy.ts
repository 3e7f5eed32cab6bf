// Which versions of a model are served: "all", "latest 2" or "specific 1,3".

export const policyPattern = /^(all|latest [1-9]\d{0,8}|specific [1-9]\d{0,8}(,[1-9]\d{0,8})*)$/;

/** @param versions newest first. @param policy matches `policyPattern`. */
export function chooseVersions(policy: string, versions: readonly number[]): number[] {
  const [kind, argument = ''] = policy.split(' ');
  if (kind === 'latest') return versions.slice(0, Number(argument));
  if (kind === 'specific') {
    const wanted = argument.split(',').map(Number);
    return versions.filter(version => wanted.includes(version));
  }
  return [...versions];
}
