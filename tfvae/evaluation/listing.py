"""The file name is the registry: plug-ins are found by listing their package."""

import importlib
import pkgutil


def by_file(package, attribute):
    """Name of the file -> its object of that name, of every file of a package that has one, in the order of names."""
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    modules = {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}
    return {name: getattr(module, attribute) for name, module in modules.items() if hasattr(module, attribute)}
