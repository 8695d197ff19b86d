import { ago, moment } from "../format";

// Ago says how long ago something was; when exactly shows on hovering.
export function Ago({ at, zone }: { at: string; zone?: string | undefined }) {
  return (
    <time dateTime={at} title={moment(at, zone)}>
      {ago(at)}
    </time>
  );
}
