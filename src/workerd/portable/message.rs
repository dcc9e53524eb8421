//! Cap'n Proto's binary form: what it takes to write a configuration. workerd reads it on its standard input, where it
//! takes no text. <https://capnproto.org/encoding.html>

/// A message of one segment while it is put together.
#[derive(Debug)]
pub(super) struct Message(Vec<u64>);

/// A struct of a message: its place, and how many words of data it begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Struct {
    at: usize,
    data: usize,
}

/// Words of data, and pointers, of a struct.
pub(super) type Size = (usize, usize);

/// Where a pointer stands.
type Slot = usize;

/// What the three bits of a list's pointer say of its elements (encoding.html, "Lists").
const BYTES: u64 = 2;
const POINTERS: u64 = 6;
const STRUCTS: u64 = 7;

impl Message {
    /// A message, and its root.
    pub(super) fn new(size: Size) -> (Self, Struct) {
        let mut message = Self(vec![0]);
        let root = message.structure_at(0, size);
        (message, root)
    }

    /// As it goes over the wire: how many segments there are but one, how long it is, and the segment.
    pub(super) fn finish(self) -> Vec<u8> {
        let words = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        let header = words << 32;
        std::iter::once(header)
            .chain(self.0)
            .flat_map(u64::to_le_bytes)
            .collect()
    }

    /// A number of 16 bits, by its place among them: what a union's choice and a small number are.
    pub(super) fn small(&mut self, of: Struct, index: usize, value: u16) {
        self.0[of.at + index / 4] |= u64::from(value) << (16 * (index % 4));
    }

    pub(super) fn text(&mut self, of: Struct, pointer: usize, text: &str) {
        self.text_at(of.pointer(pointer), text);
    }

    pub(super) fn texts<T: AsRef<str>>(&mut self, of: Struct, pointer: usize, texts: &[T]) {
        let at = self.list_at(of.pointer(pointer), POINTERS, texts.len(), texts.len());
        for (index, text) in texts.iter().enumerate() {
            self.text_at(at + index, text.as_ref());
        }
    }

    pub(super) fn structure(&mut self, of: Struct, pointer: usize, size: Size) -> Struct {
        self.structure_at(of.pointer(pointer), size)
    }

    pub(super) fn structures(
        &mut self,
        of: Struct,
        pointer: usize,
        (data, pointers): Size,
        count: usize,
    ) -> impl Iterator<Item = Struct> + use<> {
        let size = data + pointers;
        let tag = self.list_at(of.pointer(pointer), STRUCTS, count * size, 1 + count * size);
        self.0[tag] = to_word(count) << 2 | to_word(data) << 32 | to_word(pointers) << 48;
        (0..count).map(move |index| Struct {
            at: tag + 1 + index * size,
            data,
        })
    }

    fn text_at(&mut self, slot: Slot, text: &str) {
        // With the zero that ends it.
        let length = text.len() + 1;
        let at = self.list_at(slot, BYTES, length, length.div_ceil(8));
        for (word, bytes) in self.0[at..].iter_mut().zip(text.as_bytes().chunks(8)) {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(padded);
        }
    }

    fn structure_at(&mut self, slot: Slot, (data, pointers): Size) -> Struct {
        let at = self.allocate(data + pointers);
        self.0[slot] = offset(slot, at) | to_word(data) << 32 | to_word(pointers) << 48;
        Struct { at, data }
    }

    fn list_at(&mut self, slot: Slot, elements: u64, count: usize, words: usize) -> usize {
        let at = self.allocate(words);
        self.0[slot] = offset(slot, at) | 1 | elements << 32 | to_word(count) << 35;
        at
    }

    fn allocate(&mut self, words: usize) -> usize {
        let at = self.0.len();
        self.0.resize(at + words, 0);
        at
    }
}

impl Struct {
    fn pointer(self, index: usize) -> Slot {
        self.at + self.data + index
    }
}

/// From the word behind a pointer to what it points to; all of ours point ahead.
fn offset(slot: Slot, at: usize) -> u64 {
    to_word(at - slot - 1) << 2
}

fn to_word(number: usize) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole message, byte for byte as the specification has it.
    #[test]
    fn a_struct_with_a_text_a_list_and_a_choice_is_written_as_specified() {
        let (mut message, root) = Message::new((1, 3));
        message.small(root, 0, 7);
        message.small(root, 1, 0x0102);
        message.text(root, 0, "eight by");
        message.texts(root, 1, &["a"]);
        let mut items = message.structures(root, 2, (0, 1), 2);
        let _first = items.next().unwrap();
        message.text(items.next().unwrap(), 0, "");
        #[rustfmt::skip]
        let expected: [u64; 14] = [
            13 << 32,
            1 << 32 | 3 << 48,
            0x0102_0007,
            2 << 2 | 1 | 2 << 32 | 9 << 35,
            3 << 2 | 1 | 6 << 32 | 1 << 35,
            4 << 2 | 1 | 7 << 32 | 2 << 35,
            u64::from_le_bytes(*b"eight by"), 0,
            1 | 2 << 32 | 2 << 35, u64::from(b'a'),
            2 << 2 | 1 << 48, 0, 1 | 2 << 32 | 1 << 35, 0,
        ];
        let written = message.finish();
        let words: Vec<_> = written
            .chunks(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect();
        assert_eq!(words, expected);
    }
}
