"""What the exercises of the chapter give to their reader; no answer stands here."""

# Lines in the wording of HDFS, and what is constant in each.
LINES = (
    ("Received block blk_3587508140051953248 of size 67108864 from /10.251.42.84",
     "Received block blk_<*> of size <*> from /<*>"),
    ("Received block blk_-1608999687919862906 of size 91178 from /10.250.14.224",
     "Received block blk_<*> of size <*> from /<*>"),
    ("PacketResponder 1 for block blk_38865049064139660 terminating",
     "PacketResponder <*> for block blk_<*> terminating"),
    ("BLOCK* ask 10.250.14.224:50010 to replicate blk_-1608999687919862906 to datanode(s) "
     "10.251.215.16:50010",
     "BLOCK* ask <*>:<*> to replicate blk_<*> to datanode(s) <*>:<*>"),
)  # fmt: skip

# One minus what nine calibration windows gave the right root.
SCORES = (0.05, 0.12, 0.2, 0.31, 0.34, 0.42, 0.5, 0.61, 0.77)
