// Mark is the mark of the house.
export function Mark({ size = 30 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#37474f" />
      <path d="M6 23 14.6 8.4a1.6 1.6 0 0 1 2.8 0L26 23" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round" />
      <path d="M11 18.5h10" stroke="#5fd4d6" stroke-width="2.6" stroke-linecap="round" />
    </svg>
  );
}
