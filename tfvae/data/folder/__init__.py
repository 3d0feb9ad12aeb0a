"""A folder of images as a user keeps it: which images it holds, what is known of each, which cannot be used and why.

    photos/<class>/*.jpg         labelled by the name of the folder
    photos/unlabelled/*.jpg      unlabelled, as is every image at the top that no metadata row names
    photos/<split>/<class>/...   `train`, `validation` and `test` folders set the split
    photos/image/<...>/a.png     and photos/image_<name>/<...>/a.png: images of one example, of several modalities
                                 (`modalities` names folders that are called otherwise, such as visible and infrared)
    photos/unpaired/image_b/...  images of a modality alone, whatever their names
    photos/metadata.csv          or .jsonl: `file_name` and any of `label`, `caption`, `tags`, `factors.<name>`,
                                 `split`, `pair` and `image_<name>`
    photos/captions_*.json       captions of COCO, photos/*.token.txt of Flickr with its lists of splits, and
                                 photos/dataset_*.json of Karpathy & Li: beside them a folder names no class

What metadata says of an image goes before what its folder says.
"""

from tfvae.data.folder.examples import order_key
from tfvae.data.folder.found import SPLITS, Config, Folder, Item, Reject, printable, stack
from tfvae.data.folder.scan import SYSTEM_FOLDER, scan, stamp, stays_inside
from tfvae.data.folder.survey import survey

__all__ = [
    "SPLITS", "SYSTEM_FOLDER", "Config", "Folder", "Item", "Reject", "order_key", "printable", "scan", "stack", "stamp",
    "stays_inside", "survey",
]  # fmt: skip
