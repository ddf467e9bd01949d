import os
os.environ["MLU_VISIBLE_DEVICES"] = "0"
