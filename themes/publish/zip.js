// The files of a zip (PKWARE APPNOTE 6.3), by its directory; the browser inflates them.

const LARGEST = 512 * 1024 * 1024; // bytes of all files together: what unpacks to more is no site

/** `[path, Blob]` of each file. Throws what is wrong with it, as a sentence. */
export async function files(blob) {
  const directory = await read(blob);
  const found = [];
  const places = new Set();
  let size = 0;
  for (const entry of directory) {
    if (entry.path.endsWith("/")) continue;
    if (entry.path.startsWith("/") || entry.path.split("/").some((part) => part === ".." || part === ".")) throw new Error(`The zip has a file outside of it: ${entry.path}`);
    if (entry.flags & 1) throw new Error("The zip has a password.");
    if (entry.method === 0 && entry.packed !== entry.size) throw new Error("The zip is damaged.");
    if (places.has(entry.start)) throw new Error("The zip has a file twice.");
    places.add(entry.start);
    size += Math.max(entry.size, entry.packed);
    if (size > LARGEST) throw new Error("The zip unpacks to more than 512 MB.");
    found.push([entry.path, await unpacked(blob, entry)]);
  }
  return found;
}

async function read(blob) {
  const tail = new DataView(await blob.slice(Math.max(0, blob.size - 65557)).arrayBuffer()); // the record at its end, and the longest comment
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at -= 1;
  if (at < 0) throw new Error("That is no zip.");
  const [count, length, start] = [tail.getUint16(at + 10, true), tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
  if (count === 0xffff || start === 0xffffffff) throw new Error("The zip is too large: drop the folder itself.");
  const bytes = await blob.slice(start, start + length).arrayBuffer();
  const view = new DataView(bytes);
  const entries = [];
  let place = 0;
  for (let number = 0; number < count; number += 1) {
    if (place + 46 > view.byteLength || view.getUint32(place, true) !== 0x02014b50) throw new Error("The zip is damaged.");
    const [name, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(place + offset, true));
    entries.push({
      flags: view.getUint16(place + 8, true),
      method: view.getUint16(place + 10, true),
      packed: view.getUint32(place + 20, true),
      size: view.getUint32(place + 24, true),
      start: view.getUint32(place + 42, true),
      path: new TextDecoder().decode(new Uint8Array(bytes, place + 46, name)).replaceAll("\\", "/"),
    });
    place += 46 + name + extra + comment;
  }
  return entries;
}

async function unpacked(blob, entry) {
  const head = new DataView(await blob.slice(entry.start, entry.start + 30).arrayBuffer());
  if (head.byteLength < 30 || head.getUint32(0, true) !== 0x04034b50) throw new Error("The zip is damaged.");
  const from = entry.start + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const packed = blob.slice(from, from + entry.packed);
  if (entry.method === 0) return packed;
  if (entry.method !== 8) throw new Error(`The zip packs ${entry.path} in a way that is not known here.`);
  const parts = [];
  let size = 0;
  const reader = packed.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > entry.size) throw new Error(`The zip says less of ${entry.path} than it holds.`);
    parts.push(value);
  }
  if (size !== entry.size) throw new Error("The zip is damaged.");
  return new Blob(parts);
}
