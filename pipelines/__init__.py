"""TFX and Beam around tfvae; see tools/pipeline. `tfvae` never imports this package."""

import os

# Before TensorFlow or TFX is imported: TFX would choose Keras 2, with which TensorFlow Probability cannot be imported.
os.environ["TF_USE_LEGACY_KERAS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
