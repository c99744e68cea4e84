// SPDX-License-Identifier: GPL-2.0-only

//! Names in the directories of a btrfs image.

use std::collections::HashMap;

use super::{
    items, senseless, u16_at, u64_at, Image, TreeError, DIR_INDEX, NAME, NAME_KEY_TYPE, NAME_LEN,
    ROOT_DIRECTORY, ROOT_ITEM,
};

/// The numbers of a file: that of its tree, and its own.
pub(crate) type Number = (u64, u64);

/// Names in directories, by the number of the directory.
pub(crate) type Names = HashMap<Number, Vec<(Vec<u8>, Number)>>;

/// Reads the names in the directories of a tree, and adds the trees that are mounted there, each once.
pub(crate) fn read_names(
    image: &Image,
    id: u64,
    names: &mut Names,
    trees: &mut Vec<u64>,
) -> Result<(), TreeError> {
    image.each_leaf(image.root_of(id)?, &mut |leaf| {
        for item in items(leaf).filter(|item| item.kind == DIR_INDEX) {
            let data = &leaf[item.data];
            let end = NAME + usize::from(u16_at(data, NAME_LEN));
            // An index has one name.
            let name = data.get(NAME..).filter(|_| data.len() == end);
            let name = name.ok_or(senseless("a name that breaks off"))?;
            let number = if data[NAME_KEY_TYPE] == ROOT_ITEM {
                let tree = u64_at(data, 0);
                if !trees.contains(&tree) {
                    trees.push(tree);
                }
                (tree, ROOT_DIRECTORY)
            } else {
                (id, u64_at(data, 0))
            };
            names
                .entry((id, item.id))
                .or_default()
                .push((name.to_vec(), number));
        }
        Ok(false)
    })
}
