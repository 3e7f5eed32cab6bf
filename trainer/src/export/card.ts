// The model card of a bundle: README.md, made from the manifest.
import type { Manifest } from '@genserve/runtime';

export function modelCard(manifest: Manifest): string {
  const { name, version, family, domain, files, operations, likelihood, scores, licence, provenance } = manifest;
  const image = domain?.image;
  const lines = [
    `# ${name}, version ${version}`,
    '',
    manifest.description,
    '',
    `- **Family**: ${family?.name}: ${family?.paper} (<${family?.url}>)`,
    `- **Trained on**: ${provenance?.dataset} (${provenance?.split}), ${provenance?.steps.toLocaleString('en')} steps in ${Math.round((provenance?.trainingSeconds ?? 0) / 60)} minutes, seed ${provenance?.seed}`,
    ...(image
      ? [
          `- **Domain**: images ${image.height}x${image.width}x${image.channels}, ${image.levels || 'continuous'} levels, binarisation ${image.binarisation}, ${image.polarity}`,
        ]
      : []),
    ...(likelihood?.kind === 'none' ? [] : [`- **Likelihood**: ${likelihood?.kind}; ${likelihood?.measure}`]),
    `- **Licence**: model ${licence?.model}; data ${licence?.data} (${licence?.attribution})`,
    '',
    ...(files.some(({ path }) => path === 'preview.png') ? ['![samples](preview.png)', ''] : []),
    '| operation | inputs | outputs | parameters | multiply-accumulates per sample |',
    '|---|---|---|---|---|',
    ...operations.map(({ name: operation, inputs, outputs, cost }) => {
      const ports = (list: typeof inputs) => list.map(port => port.name).join(', ');
      return `| ${operation} | ${ports(inputs)} | ${ports(outputs)} | ${cost?.parameters.toLocaleString('en')} | ${cost?.macs.toLocaleString('en')} |`;
    }),
    '',
    '| figure | value |',
    '|---|---|',
    ...Object.entries(provenance?.metrics ?? {}).map(([key, value]) => `| ${key} | ${Number(value.toPrecision(6))} |`),
    '',
    ...scores.map(
      ({ name: score, formula, draws, calibration, usesLabel }) =>
        `Anomaly score \`${score}\` (${formula}${usesLabel ? ' given the label of the row' : ''}, ${draws} draws), ${
          calibration
            ? `calibrated on ${calibration.count.toLocaleString('en')} rows: ${calibration.data}`
            : 'not calibrated'
        }.`,
    ),
    '',
    'The manifest holds everything that a client needs; `genserve verify` recomputes its recorded values.',
    '',
  ];
  return lines.join('\n');
}
